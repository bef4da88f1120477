from dataclasses import replace
from decimal import Decimal

import pytest

from noctule.core.base.roles import Role
from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.llm.token_parts import TokenParts
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.lifecycle import Status
from tests.support.shell import SILENT, Shell
from tests.support.small_config import CONFIG
from tests.support.stored_records import NOON, a_session, a_turn, an_attempt, later

pytestmark = pytest.mark.process


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path, CONFIG)


async def a_reply(shell):
    """Put in a turn that was refused once, slept, and was answered by the fallback."""
    async with shell.records() as work:
        await work.sessions.add(a_session("s1"))
        ended = later(90)
        done = a_turn("t1", text="Bats?", status=Status.DONE, reply="Bats.", ended_at=ended)
        await work.turns.add(done)
        route = Route((Role.ENGINEER,), Complexity.COMPLEX, DecidedBy.MODEL, "it is code", 0.8)
        await work.routes.put("t1", route)
        refused = an_attempt(
            "a1",
            model="large",
            outcome=Outcome.RATE_LIMITED,
            usage=Usage(),
            parts=None,
            cost_usd=Decimal(0),
            message="slow down",
            fallback_from=None,
            skipped=(),
        )
        answered = an_attempt(
            "a2",
            model="small",
            started_at=later(70),
            usage=Usage(1000, 100),
            parts=TokenParts(600, 0, 150, 250),
            cost_usd=Decimal(0),
            cost_source=CostSource.LOCAL,
            fallback_from="large",
        )
        await work.attempts.add(refused)
        await work.attempts.add(answered)
        told = {"status": "parked", "wake_at": later(60).isoformat(), "sentence": "slow down"}
        await work.events.append("s1", "t1", [(EventKind.PARKED, told)], at=later(1))
        await work.events.append("s1", "t1", [(EventKind.WOKEN, {"slept_s": 60})], at=later(61))


async def test_nothing_to_explain_is_said(shell):
    """An empty home is no error: people get a sentence, programs null."""
    said, document = await shell("why"), await shell("why", "--json")
    assert (said.code, "Nothing to explain yet" in said.out) == (0, True)
    assert (document.code, document.json) == (0, None)
    unknown = await shell("why", "x")
    assert (unknown.code, "no turn or session 'x'" in unknown.err) == (2, True)


async def test_a_reply_is_explained_from_route_to_cost(shell):
    """Route, who was asked in order, skips, the sleep, the cost and what it would have been."""
    await a_reply(shell)
    explained = (await shell("why", "--json")).json
    assert explained["turn"] == "t1"
    assert explained["route"]["reason"] == "it is code"
    (call,) = explained["calls"]
    assert [(a["model"], a["outcome"]) for a in call["asked"]] == [
        ("large", "rate_limited"),
        ("small", "success"),
    ]
    assert call["skipped"] == [{"model": "coder", "reason": "busy 2 s"}]
    assert (call["model"], call["cost_usd"], call["wait_s"]) == ("small", 0.0, 0.5)
    assert call["input_tokens"] == explained["input_tokens"] == 1000
    assert call["asked"][1]["input_parts"] == explained["input_parts"]
    assert explained["input_parts"]["tool_tokens"] == 250
    expected = {"model": "large", "cost_usd": 0.0045, "saved_usd": 0.0045, "counterfactual": True}
    assert {key: call["baseline"][key] for key in expected} == expected
    (park,) = explained["parks"]
    assert park["wake_at"] == "2026-11-22T13:01:00.123456+01:00"
    assert park["woken_at"] == "2026-11-22T13:01:01.123456+01:00"
    page = (await shell("why", "t1")).out
    for words in (
        "Route: engineer, complex",
        "decided by model: it is code, confidence 0.80",
        "skipped coder: busy 2 s",
        "asked large after waiting 0.2 s: rate limited",
        "it said: slow down",
        "asked small instead of large",
        "sent: 600 prompt and tool schemas, 150 re-sent context, 250 tool output\n",
        "Tokens: 1000 sent in 1 step: 600 prompt and tool schemas (60%), 150 re-sent context (15%)",
        "1000→100 tokens, $0.00 (local models are free per call)",
        "the same tokens on large: $0.0045 (hypothetical)",
        "slow down",
        "after 1 min",
    ):
        assert words in page


async def test_a_session_means_its_newest_finished_turn(shell):
    """A session's id explains its newest finished turn, and the default the newest of all."""
    await a_reply(shell)
    async with shell.records() as work:
        failed = a_turn("t2", status=Status.FAILED, error="nobody", ended_at=later(200))
        await work.turns.add(failed)
        await work.attempts.add(replace(an_attempt("a3"), turn_id="t2", started_at=later(150)))
        await work.turns.add(a_turn("t3"))
        await work.sessions.add(a_session("s2"))
        await work.turns.add(a_turn("t9", "s2", status=Status.DONE, reply="x", ended_at=NOON))
    assert (await shell("why", "s1", "--json")).json["turn"] == "t2"
    assert (await shell("why", "s2", "--json")).json["turn"] == "t9"
    assert (await shell("why", "t1", "--json")).json["turn"] == "t1"
    newest = (await shell("why", "--json")).json
    assert (newest["turn"], newest["error"]) == ("t2", "nobody")


async def test_explaining_loads_no_graph(shell):
    """Neither LangGraph nor LangChain nor a client is imported."""
    await a_reply(shell)
    assert not await shell.loaded("why") & SILENT
