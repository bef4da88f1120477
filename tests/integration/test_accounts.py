import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from noctule.core.budgets.accounts import Account, Statement, account_key
from noctule.core.budgets.budgets import BudgetKey
from noctule.core.clock import SystemClock
from noctule.core.errors import LimitError, NoModelError
from noctule.core.ports.database import Database
from noctule.core.provider_errors.refusals import Evidence
from tests.support.paid_stage import paid_stage
from tests.support.provider import Fault, Provider, Reply
from tests.support.stage import Act, Stage, refused, settle

KEY = "sk-the-endpoints-own-key"
USAGE = {"url": "/v1/usage", "limit": "budget.limit", "spent": "budget.spent", "reset": "budget.at"}
A_CALL = Decimal("0.10")
"""The most a call can cost here; an answer costs half of it."""


def says(limit: Any, spent: Any = 0, at: Any = None, **reply: Any) -> Reply:
    return Reply(body={"budget": {"limit": limit, "spent": spent, "at": at}}, **reply)


def staged(
    provider: Provider, *, account: Any = None, endpoint: dict[str, Any] | None = None, **more: Any
) -> Stage:
    """Return a stage whose first model is at a provider that is asked what is left."""
    here = {
        "kind": "openai",
        "url": provider.openai_url,
        "key": KEY,
        "account": {**USAGE, **(account or {})},
        **(endpoint or {}),
    }
    return paid_stage(endpoints={"here": here}, **more)


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something the network brings."""
    async with asyncio.timeout(10):
        while not condition():
            await SystemClock().sleep(0.005)


async def stored(database: Database) -> list[Account]:
    async with database.read() as work:
        return await work.accounts.list()


@asynccontextmanager
async def answered(stage: Stage, provider: Provider) -> AsyncIterator[Stage]:
    """Have a first call made, and the question that goes with it answered."""
    async with stage:
        await stage.ask()
        await until(lambda: not stage_is_asking())
        assert len(provider.other_requests) == 1
        yield stage


def stage_is_asking() -> bool:
    return any(task.get_name() == "account" for task in asyncio.all_tasks())


async def test_no_call_waits_for_the_question_that_goes_with_it() -> None:
    """It is asked beside the first call, with the endpoint's key, and what it says is kept."""
    gate = asyncio.Event()
    async with Provider() as provider, staged(provider) as stage:
        provider.documents["/v1/usage"] = says(5, 1.25, "2026-01-05T00:00:00Z", gate=gate)
        reply = await stage.ask()
        assert reply.attempt.model == "first"
        assert await stored(stage.database) == []
        gate.set()
        await until(lambda: not stage_is_asking())
        await settle()
        (asked,) = provider.other_requests
        assert (asked.method, asked.path) == ("GET", "/v1/usage")
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        (account,) = await stored(stage.database)
        assert account.statement is not None
        assert account.statement.left_usd == Decimal("3.75")
        assert (account.endpoint, account.trouble) == ("here", None)
        assert KEY not in repr(account)


async def test_too_little_left_by_the_provider_is_a_limit_until_its_reset() -> None:
    """Though our own budget would pay: with time, evidence and the provider's words."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 4.95, "2026-01-01T01:00:00Z")
        budgets = {"all": {"scope": "global", "usd": 100, "window": "day"}}
        async with answered(staged(provider, budgets=budgets), provider) as stage:
            with pytest.raises(LimitError) as caught:
                await stage.ask()
            error = caught.value
            assert error.retry_at == stage.clock.now() + timedelta(hours=1, seconds=60)
            assert (error.evidence, error.key) == (Evidence.BODY, account_key("here").limit_key)
            assert "limit 5, spent 4.95, at 2026-01-01T01:00:00Z" in error.reason
            assert "noctule budgets" in str(error)
            assert stage.client.asked == ["first"]


async def test_our_own_budget_counts_when_it_is_the_lower_one() -> None:
    """The provider would pay."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(500)
        budgets = {"all": {"scope": "global", "usd": "0.12", "window": "1h"}}
        async with answered(staged(provider, budgets=budgets), provider) as stage:
            with pytest.raises(LimitError) as caught:
                await stage.ask()
            assert caught.value.key == BudgetKey("all").limit_key
            await stage.clock.advance(3600)
            await stage.ask()  # what was refused by ours did not stay reserved at the provider


async def test_the_fallback_goes_on_when_the_provider_would_not_pay() -> None:
    """A model of another endpoint; the attempt says why."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 5)
        stage = staged(provider, role={"fallback": ["second"]})
        async with answered(stage, provider):
            reply = await stage.ask()
            assert (reply.attempt.model, reply.attempt.fallback_from) == ("second", "first")
            assert "endpoint here says that $0.00 of $5.00 is left" in (
                reply.attempt.skipped[0].reason
            )


async def test_a_call_above_the_whole_limit_is_not_waited_for() -> None:
    """No reset cures it."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says("0.07", at="2026-01-01T01:00:00Z")
        async with answered(staged(provider), provider) as stage:
            with pytest.raises(NoModelError, match="the whole limit of the account"):
                await stage.ask()


async def test_no_limit_refuses_nothing() -> None:
    """``null`` is an answer, and no trouble."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(None, 10_000)
        async with answered(staged(provider), provider) as stage:
            await stage.ask()
            (account,) = await stored(stage.database)
            assert account.statement is not None
            assert account.statement.unlimited


async def test_calls_under_way_and_since_are_taken_off_what_is_left() -> None:
    """A quarter is left: two calls are under way, one waits; three answers leave one call."""
    gates = asyncio.Event(), asyncio.Event()
    async with (
        Provider() as provider,
        staged(provider, account={"every_attempts": 100}) as stage,
    ):
        provider.documents["/v1/usage"] = says(5, "4.75")
        stage.will("first", Act(until=gates[0]), *[Act(until=gates[1])] * 2)
        calls = [asyncio.create_task(stage.ask())]
        await settle()
        await until(lambda: not stage_is_asking())
        calls += [asyncio.create_task(stage.ask()) for _ in range(2)]
        await settle()
        assert len(stage.client.asked) == 2
        gates[0].set()
        await settle()
        await stage.clock.advance(1)
        await settle()
        assert len(stage.client.asked) == 3
        gates[1].set()
        await asyncio.gather(*calls)
        await stage.ask()
        with pytest.raises(LimitError):  # four answers: 5 cents are left
            await stage.ask()
        assert len(provider.other_requests) == 1


async def test_forty_calls_at_once_never_pass_what_the_provider_says_is_left() -> None:
    """It pays for some, to the cent; the others are refused once nothing is under way."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, "4.73")
        account = {"every_attempts": 1000}
        role = {"max_concurrent": 40}
        stage = staged(provider, account=account, role=role)
        gate = asyncio.Event()
        stage.will("first", Act(until=gate))
        async with stage:
            first = asyncio.create_task(stage.ask())
            await settle()
            await until(lambda: not stage_is_asking())
            calls = [asyncio.create_task(stage.ask()) for _ in range(40)]
            gate.set()
            for _ in range(20):
                await settle()
                await stage.clock.advance(0.5)
            results = await asyncio.gather(first, *calls, return_exceptions=True)
            paid = [one for one in results if not isinstance(one, BaseException)]
            assert len(paid) == 4  # 0.20 of 0.27: a fifth may cost 0.10
            assert all(isinstance(one, LimitError) for one in results if one not in paid)


async def test_it_is_asked_every_few_attempts() -> None:
    """And at the first; free models do not count."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(500)
        async with staged(provider, account={"every_attempts": 3}) as stage:
            for number, questions in enumerate([1, 1, 1, 2, 2, 2, 3], start=1):
                await stage.ask()
                await until(lambda: not stage_is_asking())
                assert len(provider.other_requests) == questions, number


async def test_it_is_asked_again_before_a_call_is_given_up() -> None:
    """Whoever adds money is heard by the next call, ten seconds later at most."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 5)
        async with answered(staged(provider), provider) as stage:
            with pytest.raises(LimitError):
                await stage.ask()
            assert len(provider.other_requests) == 1  # it was asked just now
            provider.documents["/v1/usage"] = says(10, 5)
            await stage.clock.advance(10)
            assert (await stage.ask()).attempt.model == "first"


async def test_after_its_reset_a_statement_counts_no_more() -> None:
    """The call goes through, and the question is asked beside it."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 5, "2026-01-01T01:00:00Z")
        async with answered(staged(provider), provider) as stage:
            with pytest.raises(LimitError):
                await stage.ask()
            await stage.clock.advance(3600)
            provider.documents["/v1/usage"] = says(5, 0, "2026-01-01T02:00:00Z")
            assert (await stage.ask()).attempt.model == "first"
            await until(lambda: not stage_is_asking())
            assert len(provider.other_requests) == 2
            assert (await stage.ask()).attempt.model == "first"
            assert len(provider.other_requests) == 2


async def test_a_reset_that_is_late_is_looked_for_every_minute() -> None:
    """LiteLLM resets budgets minutes after the moment it names."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 5, "2025-12-31T23:59:00Z")
        async with answered(staged(provider), provider) as stage:
            with pytest.raises(LimitError) as caught:
                await stage.ask()
            assert caught.value.evidence is Evidence.GUESS
            assert caught.value.retry_at == stage.clock.now() + timedelta(seconds=63)


async def test_a_limit_that_never_resets_waits_for_a_person() -> None:
    """Only somebody who pays can help."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 5, None)
        async with answered(staged(provider), provider) as stage:
            with pytest.raises(LimitError) as caught:
                await stage.ask()
            assert (caught.value.retry_at, caught.value.evidence) == (None, None)


async def test_the_endpoints_window_says_when_where_the_provider_does_not() -> None:
    """An unknown reset is not "never"."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 5, "some day")
        window = {"kind": "aligned", "length": "day"}
        stage = staged(provider, endpoint={"window": window})
        async with answered(stage, provider):
            with pytest.raises(LimitError) as caught:
                await stage.ask()
            assert caught.value.evidence is Evidence.WINDOW
            assert caught.value.retry_at == stage.clock.now() + timedelta(days=1, seconds=60)


async def test_a_refusal_without_a_time_sleeps_until_the_account_resets() -> None:
    """The account is asked before the length of the sleep is decided."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 1)
        async with answered(staged(provider), provider) as stage:
            provider.documents["/v1/usage"] = says(5, 5.01, "2026-01-01T02:00:00Z")
            await stage.clock.advance(60)
            stage.will("first", refused(402, code="insufficient_quota", message="no money"))
            with pytest.raises(LimitError) as caught:
                await stage.ask()
            error = caught.value
            assert error.retry_at == stage.clock.now() + timedelta(minutes=119, seconds=60)
            assert error.evidence is Evidence.BODY
            assert "no money; endpoint here says that $0.00 of $5.00 is left" in error.reason
            assert len(provider.other_requests) == 2


async def test_a_refusal_that_names_its_end_is_believed_without_a_wait() -> None:
    """The account is asked beside it."""
    gate = asyncio.Event()
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 1)
        async with answered(staged(provider), provider) as stage:
            provider.documents["/v1/usage"] = says(5, 5, "2026-01-09T02:00:00Z", gate=gate)
            stage.will("first", refused(429, retry_after=100))
            with pytest.raises(LimitError) as caught:
                await stage.ask()
            assert caught.value.retry_at == stage.clock.now() + timedelta(seconds=105)
            assert caught.value.evidence is Evidence.HEADER
            gate.set()


async def test_a_refusal_that_is_not_about_money_stays_what_it_is() -> None:
    """Enough is left by the account."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 1, "2026-01-09T02:00:00Z")
        async with answered(staged(provider), provider) as stage:
            stage.will("first", refused(429))
            with pytest.raises(LimitError) as caught:
                await stage.ask()
            assert caught.value.evidence is Evidence.GUESS


async def test_many_refusals_at_once_ask_once() -> None:
    """The answer to the first is that to all."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(50, 1)
        async with answered(staged(provider, account={"every_attempts": 99}), provider) as stage:
            provider.documents["/v1/usage"] = says(50, 50, "2026-01-02T00:00:00Z")
            await stage.clock.advance(60)
            gate = asyncio.Event()
            stage.will("first", *[Act(text="", until=gate, error=refused(402))] * 9)
            calls = [asyncio.create_task(stage.ask()) for _ in range(9)]
            await settle()
            gate.set()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(one, LimitError) for one in results)
            assert len(provider.other_requests) == 2


async def test_a_call_cancelled_while_the_account_is_asked_leaves_nothing_open() -> None:
    """Its attempt is written down and its hold is settled."""
    gate = asyncio.Event()
    budgets = {"all": {"scope": "global", "usd": 100, "window": "day"}}
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 1)
        async with answered(staged(provider, budgets=budgets), provider) as stage:
            provider.documents["/v1/usage"] = says(5, 5, gate=gate)
            await stage.clock.advance(60)
            stage.will("first", refused(402, message="no money"))
            task = asyncio.create_task(stage.ask())
            await until(lambda: len(provider.other_requests) == 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert [one.message for one in await stage.attempts()] == [None, "no money"]
            async with stage.database.read() as work:
                assert await work.budgets.held() == []
            gate.set()


TROUBLES = {
    "auth": (Reply(status=401, body=f"wrong key {KEY}"), "answered 401: it does not take the key"),
    "crash": (Reply(status=500, body="oops"), "answered 500."),
    "elsewhere": (
        Reply(status=302, headers={"Location": "/elsewhere"}, body=""),
        "answered 302, which points elsewhere",
    ),
    "not json": (Reply(body=f"<html>{KEY}</html>"), "makes no sense: it is not JSON"),
    "other": (Reply(body={"budget": {"limit": KEY}}), "budget.limit is no amount of money"),
    "endless": (Reply(body="9" * 2_000_000), "makes no sense"),
    "silent": (Reply(fault=Fault.HANG), "did not answer within 0.2 s"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_means_our_own_view_and_is_said_once(
    trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of the answer is repeated: it may hold the key. No call fails."""
    reply, words = TROUBLES[trouble]
    caplog.set_level(logging.DEBUG)
    account = {"every_attempts": 1, "timeout": "200ms" if trouble == "silent" else "10s"}
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 5)
        async with answered(staged(provider, account=account), provider) as stage:
            provider.documents["/v1/usage"] = reply
            await stage.clock.advance(60)
            for _ in range(3):
                assert (await stage.ask()).attempt.model == "first"
                await until(lambda: not stage_is_asking())
            await settle()
            (known,) = await stored(stage.database)
            assert known.trouble is not None
            assert words in known.trouble
            assert known.statement is not None  # what it said before is kept, to be shown
            warnings = [one for one in caplog.records if one.levelno >= logging.WARNING]
            assert len(warnings) == 1
            assert known.trouble in warnings[0].getMessage()
            assert KEY not in caplog.text + repr(known)
            assert {asked.path for asked in provider.other_requests} == {"/v1/usage"}


async def test_nobody_there_means_our_own_view() -> None:
    """A refused connection is no crash, neither before a call nor after a refusal."""
    async with Provider() as provider:
        stage = staged(provider)
    async with stage:
        assert (await stage.ask()).attempt.model == "first"
        await until(lambda: not stage_is_asking())
        await stage.clock.advance(60)
        stage.will("first", refused(429))
        with pytest.raises(LimitError) as caught:
            await stage.ask()
        assert caught.value.evidence is Evidence.GUESS
        (known,) = await stored(stage.database)
        assert "could not be asked (ConnectError)" in str(known.trouble)


async def test_another_host_gets_the_key_that_is_written_for_it() -> None:
    """And never the endpoint's own, nor its headers."""
    async with Provider() as provider, Provider() as billing:
        billing.documents["/left"] = Reply(body={"left": "3.5"})
        account = {"url": f"{billing.url}/left", "left": "left", "limit": None, "spent": None}
        endpoint = {"headers": {"X-Title": "Noctule"}}
        given = {**account, "key": "sk-for-billing"}
        async with staged(provider, account=given, endpoint=endpoint) as stage:
            await stage.ask()
            await until(lambda: not stage_is_asking())
            await settle()
            (known,) = await stored(stage.database)
        async with staged(provider, account=account, endpoint=endpoint) as stage:
            await stage.ask()
            await until(lambda: not stage_is_asking())
        assert provider.other_requests == []
        first, second = (asked.headers for asked in billing.other_requests)
        assert first["authorization"] == "Bearer sk-for-billing"
        assert "authorization" not in second
        assert "x-title" not in {**first, **second}
        assert known.statement is not None
        assert known.statement.left_usd == Decimal("3.5")


async def test_what_another_process_learned_is_asked_again_before_it_refuses() -> None:
    """A stored statement may be old; while it holds good it counts from the first call on."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 5)
        async with answered(staged(provider), provider) as stage:
            database = stage.database
        async with staged(provider, database=database) as again:
            with pytest.raises(LimitError):
                await again.ask()
            assert again.client.asked == []
            assert len(provider.other_requests) == 2
        provider.documents["/v1/usage"] = says(50, 5)
        async with staged(provider, database=database) as again:
            assert (await again.ask()).attempt.model == "first"


async def test_the_view_of_another_key_is_not_taken_up() -> None:
    """A new key starts clean."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 5, gate=asyncio.Event())
        stage = staged(provider)
        empty = Statement(Decimal(5), Decimal(5), Decimal(0), words="spent 5")
        now = stage.clock.now()
        async with stage.database.work() as work:
            await work.accounts.put(Account("here", "another", now, None, now, empty))
            await work.commit()
        async with stage:
            assert (await stage.ask()).attempt.model == "first"


async def test_a_model_without_a_known_price_is_asked_while_anything_is_left() -> None:
    """Nobody knows what it may cost; when nothing is left it costs too much."""
    async with Provider() as provider:
        provider.documents["/v1/usage"] = says(5, 4.99, "2026-01-01T01:00:00Z")
        stage = staged(provider, models={"first": {"price": None}}, account={"every_attempts": 1})
        async with answered(stage, provider):
            await stage.ask()
            provider.documents["/v1/usage"] = says(5, 5, "2026-01-01T01:00:00Z")
            await stage.ask()
            await until(lambda: not stage_is_asking())
            with pytest.raises(LimitError):
                await stage.ask()
