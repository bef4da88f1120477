import asyncio
from decimal import Decimal

import httpx
import pytest
from langchain_core.messages import HumanMessage

from noctule.core.base.roles import Role
from noctule.core.budgets.budgets import BudgetKey
from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.attempts import Usage
from noctule.core.llm.events import EventKind
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence
from noctule.models.request.chat_request import ChatRequest
from tests.support.paid_stage import paid_stage, tally_of
from tests.support.stage import Act, asking, refused, settle


def a_dollar(usd="1.00", **more):
    return {"budgets": {"all": {"scope": "global", "usd": usd, "window": "1h", **more}}}


async def tallies(stage):
    async with stage.database.read() as work:
        return await work.budgets.tallies()


async def test_a_call_is_held_for_and_settled_to_what_it_cost() -> None:
    """Ten cents are held while it runs, five are spent when it is over."""
    stage = paid_stage(**a_dollar())
    gate = asyncio.Event()
    stage.will("first", Act(until=gate))
    async with asking(stage) as task:
        assert tally_of(await tallies(stage)).held_usd == Decimal("0.10")
        gate.set()
        reply = await task
    tally = tally_of(await tallies(stage))
    assert (tally.held_usd, tally.settled_usd) == (0, Decimal("0.05"))
    assert reply.attempt.cost_usd == Decimal("0.05")


async def test_a_used_up_budget_is_a_limit_until_its_window_turns() -> None:
    """The error carries time, evidence and key like a provider's refusal; nothing is asked."""
    stage = paid_stage(**a_dollar("0.12"))
    await stage.ask()
    with pytest.raises(LimitError) as caught:
        await stage.ask()
    error = caught.value
    assert error.retry_at == tally_of(await tallies(stage)).ends_at
    assert error.evidence is Evidence.WINDOW
    assert error.key == BudgetKey("all").limit_key
    assert "$0.05 of $0.12" in str(error)
    assert "noctule budgets" in str(error)
    assert stage.client.asked == ["first"]
    await stage.clock.advance(3600)
    assert (await stage.ask()).attempt.model == "first"


async def test_what_would_fit_once_others_have_settled_waits_for_them() -> None:
    """Four calls in flight hold all the money and use half: the fifth waits and is paid."""
    stage = paid_stage(role={"max_concurrent": 20}, **a_dollar("0.40"))
    gate = asyncio.Event()
    stage.will("first", *[Act(until=gate)] * 4)
    calls = [asyncio.create_task(stage.ask()) for _ in range(5)]
    await settle()
    assert len(stage.client.asked) == 4
    gate.set()
    await asyncio.gather(*calls)
    assert tally_of(await tallies(stage)).settled_usd == Decimal("0.25")


async def test_forty_calls_at_once_never_overspend() -> None:
    """A budget for a few of them pays for those, to the cent; the others are refused."""
    stage = paid_stage(**a_dollar("0.27"))
    results = await asyncio.gather(*(stage.ask() for _ in range(40)), return_exceptions=True)
    paid = [one for one in results if not isinstance(one, BaseException)]
    assert len(paid) == 4  # after four answers 0.20 are spent, and a fifth may cost 0.10
    assert all(isinstance(one, LimitError) for one in results if one not in paid)
    tally = tally_of(await tallies(stage))
    assert (tally.settled_usd, tally.held_usd) == (Decimal("0.20"), 0)


async def test_the_fallback_goes_on_when_the_budget_does_not_pay() -> None:
    """A budget of one model leaves the next one; the attempt says who was passed over and why."""
    stage = paid_stage(
        role={"fallback": ["third"]},
        budgets={"dear": {"scope": "model", "of": "first", "usd": "0.12", "window": "day"}},
    )
    await stage.ask()
    reply = await stage.ask()
    assert reply.attempt.model == "third"
    assert reply.attempt.fallback_from == "first"
    assert "budget dear" in reply.attempt.skipped[0].reason


async def test_a_free_model_needs_no_money() -> None:
    """A local model goes on under a budget of nothing, and nothing is written for it."""
    stage = paid_stage(role={"primary": "third"}, **a_dollar("0"))
    assert (await stage.ask()).attempt.model == "third"
    assert await tallies(stage) == []


@pytest.mark.parametrize(
    ("on_exhausted", "expected"),
    [("fallback", "second"), ("cheapest", "third"), ("local", "third"), ("park", None)],
)
async def test_what_a_used_up_budget_wants(on_exhausted: str, expected: str | None) -> None:
    """The next in line, the cheapest, a local one, or nobody."""
    stage = paid_stage(
        role={"fallback": ["second", "third"]},
        budgets={
            "dear": {
                "scope": "model",
                "of": "first",
                "usd": "0.12",
                "window": "1h",
                "on_exhausted": on_exhausted,
            }
        },
    )
    await stage.ask()
    if expected is None:
        with pytest.raises(LimitError):
            await stage.ask()
    else:
        assert (await stage.ask()).attempt.model == expected


async def test_a_warning_is_told_once_and_the_cheaper_model_goes_first() -> None:
    """From half of the budget on the free model is asked first; one notice says so."""
    stage = paid_stage(role={"fallback": ["third"]}, **a_dollar("0.20", warn_at="0.5"))
    assert (await stage.ask()).attempt.model == "first"
    assert (await stage.ask()).attempt.model == "third"
    [notice] = stage.sink.of(EventKind.NOTICE)
    assert "Budget all: $0.10 of $0.20" in notice["text"]
    await stage.clock.advance(3600)
    assert (await stage.ask()).attempt.model == "first"


async def test_what_even_a_whole_budget_does_not_pay_for_waits_for_its_person() -> None:
    """A call of ten cents under a budget of nine never fits, and no time cures that."""
    stage = paid_stage(**a_dollar("0.09"))
    with pytest.raises(LimitError, match="one call may cost") as caught:
        await stage.ask()
    assert caught.value.retry_at is None
    assert caught.value.key is not None
    assert caught.value.key.is_budget


async def test_the_rest_of_a_budget_pays_for_a_shorter_answer() -> None:
    """The request says how long it may be, the hold is within what is left, and it is told."""
    a_milli_dollar_a_token = {"first": {"price": {"input": 0, "output": 1_000}}}
    stage = paid_stage(models=a_milli_dollar_a_token, role={"max_tokens": 4000}, **a_dollar("1.50"))
    await stage.ask()
    assert stage.client.requests[-1].max_tokens == 1500
    tally = tally_of(await tallies(stage))
    assert (tally.settled_usd, tally.held_usd) == (Decimal("0.005"), 0)
    await stage.ask()
    assert stage.client.requests[-1].max_tokens == 1495
    notices = [notice["text"] for notice in stage.sink.of(EventKind.NOTICE)]
    assert "pays for 1495 tokens of answer" in notices[-1]


async def test_an_answer_too_short_to_be_one_is_not_paid_for() -> None:
    """Below 1024 tokens, or where thought needs its room, the call waits for more money."""
    a_milli_dollar_a_token = {"first": {"price": {"input": 0, "output": 1_000}}}
    for usd, thinking in (("1.00", False), ("3.00", True)):
        stage = paid_stage(
            models=a_milli_dollar_a_token,
            role={"max_tokens": 4000, "thinking": thinking},
            **a_dollar(usd),
        )
        with pytest.raises(LimitError, match="one call may cost"):
            await stage.ask()
        assert stage.client.requests == []


async def test_the_role_and_the_session_have_budgets_of_their_own() -> None:
    """The shorthand of a role counts that role; a run's own bound counts its session for ever."""
    stage = paid_stage(roles={"engineer": {"budget": {"usd": "0.12", "window": "5h"}}})
    await stage.ask()
    with pytest.raises(LimitError, match=r"roles\.engineer"):
        await stage.ask()
    await stage.ask(role=Role.WRITER)
    usd = Decimal("0.12")
    await stage.ask(role=Role.WRITER, session_id="s1", budget_usd=usd)
    with pytest.raises(LimitError) as caught:
        await stage.ask(role=Role.WRITER, session_id="s1", budget_usd=usd)
    assert caught.value.retry_at is None
    assert "budgets raise" in str(caught.value)
    await stage.ask(role=Role.WRITER, session_id="s1", budget_usd=usd * 2)


@pytest.mark.parametrize(
    ("act", "spent"),
    [
        (refused(429, retry_after=20), "0"),
        (refused(400), "0"),
        (httpx.ConnectError("refused"), "0"),
        (ConnectionError("no Ollama"), "0"),
        (refused(500), "0.10"),
        (OSError("connection reset by peer"), "0.10"),
        (httpx.ReadError("torn"), "0.10"),
        (httpx.ReadTimeout("no answer"), "0.10"),
        (Act(usage=Usage()), "0.10"),
        (Act("Half", finish=None, usage=Usage()), "0.10"),
        (Act(usage=Usage(10, 5, reasoning_tokens=3)), "0.05"),
        (Act(usage=Usage(10, 5, cached_tokens=8)), "0.05"),
        (Act(usage=Usage(10, 5, reported_usd=Decimal("0.03"))), "0.03"),
    ],
)
async def test_what_each_end_of_a_call_is_charged(act: Act | Exception, spent: str) -> None:
    """Nothing where it never left or was turned away; what is known; else the bound."""
    stage = paid_stage(role={"fallback": ["third"]}, **a_dollar())
    stage.will("first", act)
    await stage.ask(stream=True)
    tally = tally_of(await tallies(stage))
    assert (tally.settled_usd, tally.held_usd) == (Decimal(spent), 0)


async def test_what_is_held_comes_nearer_once_a_model_has_reported() -> None:
    """The fourth prompt is held by what three were counted at, and still costs less than that."""
    price = {"input": 1_000, "output": 0}
    stage = paid_stage(models={"first": {"price": price}}, **a_dollar("1000"))
    text, held = "Some plain words of one page, and then some more of them. " * 40, []
    for number in range(5):
        gate = asyncio.Event()
        stage.will("first", Act(until=gate, usage=Usage(520, 5)))
        async with asking(stage, text=f"{number} {text}") as task:
            held.append(tally_of(await tallies(stage)).held_usd)
            gate.set()
            await task
    assert held[0] == held[1] == held[2]
    assert Decimal("0.52") < held[3] <= held[4] < held[0] / 2
    assert tally_of(await tallies(stage)).over_usd == 0


async def test_a_provider_that_bills_above_the_bound_is_told_of() -> None:
    """The difference is on record and said; the budget counts all of it."""
    stage = paid_stage(**a_dollar())
    stage.will("first", Act(usage=Usage(10, 5, reported_usd=Decimal("0.30"))))
    await stage.ask()
    tally = tally_of(await tallies(stage))
    assert (tally.settled_usd, tally.over_usd) == (Decimal("0.30"), Decimal("0.20"))
    [notice] = stage.sink.of(EventKind.NOTICE)
    assert "$0.20 more" in notice["text"]


async def test_cancelling_leaves_no_hold() -> None:
    """Cancelled while it waits for money, while it claims it, and in the middle of an answer."""
    stage = paid_stage(**a_dollar("0.15"))
    stage.will("first", Act(hangs=True))
    async with asking(stage):
        async with asking(stage):
            pass
        assert tally_of(await tallies(stage)).held_usd == Decimal("0.10")
    await stage.models.close()
    tally = tally_of(await tallies(stage))
    assert (tally.held_usd, tally.settled_usd) == (0, Decimal("0.10"))  # nobody knows: the bound
    [row] = await stage.attempts()
    assert row.outcome is Outcome.CANCELLED
    task = asyncio.create_task(stage.ask(role=Role.WRITER))
    await settle(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await stage.models.close()
    assert tally_of(await tallies(stage)).held_usd == 0


async def test_the_hold_of_a_process_that_died_is_recovered() -> None:
    """Its call counts as made; who waits for its money is told so when it must be dead."""
    stage = paid_stage(**a_dollar("0.15"))
    stage.will("first", Act(hangs=True))
    dead = asyncio.create_task(stage.ask())
    await settle()
    survivor = paid_stage(clock=stage.clock, database=stage.database, **a_dollar("0.15"))
    waiting = asyncio.create_task(survivor.ask())
    await settle()
    assert not waiting.done()
    for _ in range(800):
        await stage.clock.advance(0.5)
        await settle(3)
        if waiting.done():
            break
    with pytest.raises(LimitError):
        await waiting
    assert tally_of(await tallies(stage)).recovered_usd == Decimal("0.10")
    dead.cancel()
    await asyncio.gather(dead, return_exceptions=True)


async def test_a_priced_call_always_sends_how_long_its_answer_may_be() -> None:
    """4096 tokens where nobody says less; a free model is left its own bound."""
    stage = paid_stage(role={"max_tokens": None, "fallback": ["third"]})
    stage.will("first", refused(429, retry_after=60))
    await stage.ask()
    assert [request.max_tokens for request in stage.client.requests] == [4096, None]


async def test_a_model_without_a_price_is_not_asked_under_a_budget() -> None:
    """Nobody knows what it would cost: it is passed over, never counted as free."""
    stage = paid_stage(models={"first": {"local": False}}, **a_dollar())
    with pytest.raises(NoModelError, match=r"models\.first\.price"):
        await stage.ask(call=ChatRequest(messages=[HumanMessage("Hello")]))
