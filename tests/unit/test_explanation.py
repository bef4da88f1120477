from dataclasses import replace
from decimal import Decimal

from noctule.core.llm.attempts import CostSource, SkippedModel
from noctule.core.llm.events import Event, EventKind
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.explanation import explain
from tests.support.stored_records import a_session, a_turn, an_attempt, later


def no_price(model, usage, at):
    return None, None


def double(model, usage, at):
    return Decimal(2), CostSource.CONFIG


def explained(attempts=(), events=(), list_cost=double, dearest="opus"):
    return explain(
        a_session(),
        a_turn(),
        route=None,
        attempts=attempts,
        events=events,
        dearest=dearest,
        list_cost=list_cost,
    )


def event(seq, kind, turn_id="t1", **data):
    return Event("s1", seq, turn_id, kind, data, later(seq))


def test_attempts_are_told_by_call_and_oldest_first():
    """The ledger's order is turned round; attempts of one call stand together."""
    first = an_attempt("a1", call_id="c1", outcome=Outcome.TIMEOUT)
    second = an_attempt("a2", call_id="c1")
    third = an_attempt("a3", call_id="c2")
    calls = explained([third, second, first]).calls
    assert [[a.id for a in call.attempts] for call in calls] == [["a1", "a2"], ["a3"]]
    assert calls[0].answered_by is second


def test_a_skip_is_told_once_with_its_latest_reason():
    """Each attempt repeats who was passed over before it; the explanation does not."""
    first = an_attempt("a1", skipped=(SkippedModel("x", "busy 1 s"),))
    later_skips = (SkippedModel("x", "busy 9 s"), SkippedModel("y", "cannot call tools"))
    second = an_attempt("a2", skipped=later_skips)
    (call,) = explained([second, first]).calls
    assert call.skipped == later_skips


def test_what_nobody_answered_has_no_price_elsewhere():
    """A call in vain, or no known price, compares with nothing; unknown costs stay unknown."""
    vain = an_attempt(outcome=Outcome.TIMEOUT)
    assert explained([vain]).calls[0].elsewhere is None
    assert explained([an_attempt()], dearest=None).elsewhere is None
    unknown = explained([an_attempt()], list_cost=no_price).elsewhere
    assert unknown is not None
    assert (unknown.cost_usd, unknown.unknown) == (None, 1)
    assert explained([replace(an_attempt(), cost_usd=None)]).cost_usd is None


def test_sleeps_are_paired_with_their_wakes():
    """A sleep ends at the next wake; one that was parked anew, or ended asleep, never woke."""
    events = [
        event(1, EventKind.PARKED, sentence="first"),
        event(2, EventKind.PARKED, turn_id="other", sentence="not mine"),
        event(3, EventKind.WOKEN),
        event(4, EventKind.PARKED, sentence="again"),
        event(5, EventKind.PARKED, sentence="moved", wake_at=later(60).isoformat()),
        event(6, EventKind.TURN_ENDED),
    ]
    sleeps = explained(events=events).sleeps
    assert [sleep.sentence for sleep in sleeps] == ["first", "again", "moved"]
    assert [sleep.woken_at for sleep in sleeps] == [later(3), None, None]
    assert sleeps[2].wake_at == later(60)
