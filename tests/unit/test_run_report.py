from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from noctule.core.llm.attempts import CostSource, Purpose, Usage
from noctule.core.llm.events import Event, EventKind
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.run_report import report_run
from noctule.core.sessions.lifecycle import Status
from tests.support.stored_records import a_turn, an_attempt, later

BERLIN = ZoneInfo("Europe/Berlin")
A_DAY = 86_400


def ten_cents(model, usage, at):
    return Decimal("0.10"), CostSource.CONFIG


def event(kind, seconds, turn_id="t1", **data):
    return Event("s1", 1, turn_id, kind, data, later(seconds))


def parked(seconds, turn_id="t1", status="parked"):
    return event(EventKind.PARKED, seconds, turn_id, status=status, sentence="slow down")


def woken(seconds):
    return event(EventKind.WOKEN, seconds)


def ended(seconds=100):
    return event(EventKind.TURN_ENDED, seconds)


def started(name, **tags):
    return event(EventKind.ATTEMPT_STARTED, 0, attempt=name, **tags)


def answered(name, tokens=100, **changes):
    return an_attempt(name, usage=Usage(tokens, 20), **changes)


def report(*events, attempts=None, status=Status.DONE, dearest="opus", list_cost=ten_cents):
    return report_run(
        a_turn(status=status, ended_at=later(100)),
        attempts=[an_attempt(cost_usd=Decimal("0.03"))] if attempts is None else attempts,
        events=events,
        dearest=dearest,
        list_cost=list_cost,
    )


def test_a_run_that_slept_says_when_how_long_and_what_it_saved():
    """One line: parked when, how long, woken when, 0 repeated, cost, saved, and what is no bill."""
    assert report(parked(0), woken(60), ended()).sentence(BERLIN) == (
        "Parked 13:00:00 for 1 min, woken 13:01:00; 0 repeated; cost $0.03, saved $0.07 against "
        "all of it on opus ($0.10 for the same tokens; nobody paid that)."
    )


def test_a_run_that_was_never_parked_says_so():
    """Without a price to compare with there is no comparison; unknown costs stay unknown."""
    plain = report(ended(), dearest=None)
    assert plain.sentence(BERLIN) == "Never parked; 0 repeated; cost $0.03."
    unknown = report(attempts=[an_attempt(cost_usd=None)])
    assert unknown.sentence(BERLIN) == "Never parked; 0 repeated; cost $?."


def test_what_was_lost_is_said_too():
    """What cost more than the comparison is not called saved; with free models none is made."""
    free = report(list_cost=lambda model, usage, at: (Decimal(0), None))
    assert free.sentence(BERLIN) == "Never parked; 0 repeated; cost $0.03."
    dear = report(attempts=[an_attempt(cost_usd=Decimal("0.25"))])
    assert "cost $0.25, lost $0.15 against all of it on opus" in dear.sentence(BERLIN)


def test_a_retry_that_cost_money_is_not_saved():
    """What failed and was billed is part of what was spent."""
    failed = an_attempt("a0", outcome=Outcome.TIMEOUT, cost_usd=Decimal("0.05"))
    both = report(attempts=[failed, an_attempt(cost_usd=Decimal("0.03"))])
    assert both.elsewhere is not None
    assert both.elsewhere.saved_usd == Decimal("0.02")


def test_many_sleeps_are_summed_up():
    """Two are named each, of more than three the last; another day has its date."""
    two = report(parked(0), woken(10), parked(20), woken(50), ended())
    assert two.sentence(BERLIN).startswith(
        "Parked 13:00:00 for 10 s, woken 13:00:10; parked 13:00:20 for 30 s, woken 13:00:50; 0"
    )
    laps = [one for lap in range(4) for one in (parked(lap * 10), woken(lap * 10 + 5))]
    assert (
        report(*laps)
        .sentence(BERLIN)
        .startswith(
            "Parked 4 times, 20 s in all, at last parked 13:00:30 for 5.0 s, woken 13:00:35; 0"
        )
    )
    before = report(parked(-A_DAY), woken(-A_DAY + 3600), ended()).sentence(BERLIN)
    assert before.startswith("Parked 2026-11-21 13:00 for 1 h 00 min, woken 2026-11-21 14:00;")


def test_a_wake_time_that_was_moved_is_one_sleep():
    """Parked again while asleep it slept on; other turns of the session are passed over."""
    one = report(parked(0), parked(5), parked(7, turn_id="t2"), woken(60), ended())
    assert [nap.slept_s for nap in one.naps] == [60]


def test_what_was_ended_asleep_was_not_woken():
    """A cancelled sleep has no wake; a question answered by its person has one."""
    cancelled = report(parked(0), ended(), status=Status.CANCELLED)
    assert cancelled.sentence(BERLIN).startswith("Parked 13:00:00, not woken; ")
    asked = report(parked(0, status="waiting"), event(EventKind.TURN_STARTED, 9), ended())
    assert asked.sentence(BERLIN).startswith("Waited 13:00:00 for 9.0 s, woken 13:00:09; ")


@pytest.mark.parametrize(("status", "repeated"), [(Status.DONE, 1), (Status.RUNNING, 0)])
def test_a_request_cut_off_by_a_dead_process_was_repeated(status, repeated):
    """It began and nobody knows its end; while the turn still runs it may be on its way."""
    begun = started("a1"), started("a2")
    assert report(*begun, attempts=[answered("a2")], status=status).repeated == repeated


def test_an_answer_that_was_lost_and_asked_for_again_was_repeated():
    """The same tokens, part by part, twice in a row in one branch are one step."""
    assert report(attempts=[answered("a1"), answered("a2")]).repeated == 1
    assert report(attempts=[answered("a1"), answered("a2", role="chat")]).repeated == 0
    branches = started("a1", assignment="x"), started("a2", assignment="y")
    assert report(*branches, attempts=[answered("a1"), answered("a2")]).repeated == 0
    assert report(attempts=[answered("a1"), answered("a2", 101)]).repeated == 0
    between = [answered("a3"), answered("a2", 101), answered("a1")]
    assert report(attempts=between).repeated == 0
    assert report(attempts=[answered("a1", None), answered("a2", None)]).repeated == 0


def test_what_was_refused_and_asked_for_again_was_not_repeated():
    """Nothing had been done for it; and routing twice is no step of the answer."""
    refused = answered("a1", outcome=Outcome.RATE_LIMITED)
    assert report(attempts=[refused, answered("a2")]).repeated == 0
    routes = [answered(name, purpose=Purpose.ROUTE) for name in ("a1", "a2")]
    assert report(attempts=routes).repeated == 0


def test_programs_get_the_same_figures():
    """Moments have an offset, unknown is null, the comparison is called counterfactual."""
    found = report(parked(0), woken(60), parked(70), ended()).as_json(BERLIN)
    assert found["parks"][0]["parked_at"] == "2026-11-22T13:00:00.123456+01:00"
    assert found["parks"][0]["woken_at"] == "2026-11-22T13:01:00.123456+01:00"
    assert (found["parks"][1]["woken_at"], found["parks"][1]["slept_s"]) == (None, None)
    assert (found["slept_s"], found["repeated"], found["cost_usd"]) == (60, 0, 0.03)
    assert found["baseline"]["counterfactual"] is True
    assert report(dearest=None).as_json(BERLIN)["baseline"] is None
