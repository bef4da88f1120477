from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from noctule.channels.terminal.footer import footer
from noctule.channels.terminal.turn_result import TurnResult
from noctule.core.llm.attempts import Purpose, SkippedModel, Usage
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.lifecycle import Status
from tests.support.stored_records import NOON, a_turn, an_attempt, later

DONE = a_turn(status=Status.DONE, started_at=NOON, ended_at=later(3.1))
FREE: dict[str, Any] = {"cost_usd": Decimal(0), "fallback_from": None, "skipped": ()}


def said(*attempts, turn=DONE):
    return TurnResult(turn, None, attempts)


def test_the_footer_says_who_answered_at_what_cost():
    """Role, model, why not another one, cost and duration stand in one line."""
    answer = an_attempt(
        role="engineer",
        model="gemma",
        cost_usd=Decimal(0),
        fallback_from="coder",
        skipped=(SkippedModel("coder", "busy 2 s"),),
    )
    assert footer(said(answer)) == "engineer · gemma (coder busy 2 s) · $0.00 · 3.1 s"


def test_what_was_asked_in_vain_is_named_once():
    """A model that refused and was passed over later is named by its refusal alone."""
    refused = an_attempt("a1", model="coder", outcome=Outcome.RATE_LIMITED, cost_usd=Decimal(0))
    answer = an_attempt(
        "a2",
        model="gemma",
        cost_usd=Decimal(0),
        fallback_from="coder",
        skipped=(SkippedModel("coder", "refused until noon"), SkippedModel("qwen", "no tools")),
    )
    line = footer(said(refused, answer))
    assert line == "writer · gemma (coder rate limited; qwen no tools) · $0.00 · 3.1 s"


def test_roles_of_a_plan_share_a_line():
    """Everybody who answered is named once; what routed is not."""
    calls = [
        an_attempt("a0", call_id="c0", role="orchestrator", purpose=Purpose.ROUTE, **FREE),
        an_attempt("a1", call_id="c1", role="research", **FREE),
        an_attempt("a2", call_id="c2", role="writer", **FREE),
        an_attempt("a3", call_id="c3", role="writer", **FREE),
    ]
    assert footer(said(*calls)) == "research, writer · haiku · $0.00 · 3.1 s"


def test_a_long_wait_is_told():
    """A wait for a free slot of a second and more is part of the story."""
    assert footer(said(an_attempt(**{**FREE, "wait_s": 2.0}))) == (
        "writer · haiku (waited 2.0 s) · $0.00 · 3.1 s"
    )


def test_an_unknown_cost_is_not_nothing():
    """One answer whose cost is unknown makes the sum unknown."""
    calls = [
        an_attempt("a1", cost_usd=Decimal("0.01")),
        an_attempt("a2", cost_usd=None, usage=Usage()),
    ]
    assert "unknown cost" in str(footer(said(*calls)))


def test_a_connection_that_failed_costs_nothing():
    """A request that never left has a known cost of 0; one that broke off has an unknown one."""
    never_left = an_attempt("a1", outcome=Outcome.UNAVAILABLE, cost_usd=Decimal(0), usage=Usage())
    torn = replace(never_left, cost_usd=None)
    answered = an_attempt("a2", cost_usd=Decimal(2))
    assert said(never_left, answered).cost_usd == Decimal(2)
    assert said(torn, answered).cost_usd is None


def test_nobody_answered():
    """Without an answer there is no footer."""
    assert footer(said(an_attempt(outcome=Outcome.AUTH))) is None
    assert footer(said()) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.DONE, 0),
        (Status.FAILED, 1),
        (Status.CANCELLED, 1),
        (Status.PARKED, 75),
        (Status.WAITING, 75),
        (Status.QUEUED, 75),
        (Status.RUNNING, 75),
    ],
)
def test_every_status_has_its_exit_code(status, code):
    """0 done, 1 failed or cancelled, 75 whatever still goes on later."""
    assert said(turn=a_turn(status=status)).exit_code == code
