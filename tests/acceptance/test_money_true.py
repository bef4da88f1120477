import asyncio
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from noctule.core.base.roles import Role
from noctule.core.budgets.budget_scopes import BudgetScopes, BudgetSubject
from noctule.core.sessions.lifecycle import Status
from tests.support.command_line import ROLES
from tests.support.provider import Fault, Provider, Reply, Request
from tests.support.rig import Rig

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

BOUND, COST = Decimal("0.10"), Decimal("0.03")
"""What a call of the rig may cost (10 tokens at a cent), and what the provider bills for each."""

AT_REST = (Status.DONE, Status.FAILED, Status.WAITING, Status.PARKED)


def paid_rig(folder: Path, provider: Provider, usd: str, **limits: Any) -> Rig:
    """Return a rig on which calls cost money that one budget pays."""
    price = {"input": 0, "output": 10_000}
    model = {"endpoint": "shop", "name": "loop", "context": 32000, "price": price}
    return Rig(
        folder,
        provider.openai_url,
        models={"loop": model},
        roles={role: {"primary": "loop", "max_tokens": 10, "tools": []} for role in ROLES},
        budgets={"all": {"scope": "global", "usd": usd, "window": "1h"}},
        limits={"queue_timeout": "0s", **limits},
    )


async def counted(rig: Rig) -> Decimal:
    """Return what the budget counts now: spent, or held for calls that may still cost it."""
    async with rig.records.database.read() as work:
        (tally,) = await work.budgets.tallies()
    assert tally.settled_usd + tally.held_usd <= tally.usd
    return tally.settled_usd + tally.held_usd


async def the_dead_are_known(rig: Rig) -> None:
    """Let the time pass after which every process that died must be gone."""
    budgets = BudgetScopes(rig.records.settings).of("loop", BudgetSubject(Role.CHAT, "s", "local"))
    async with rig.records.database.work() as work:
        at = rig.records.clock.now() + rig.records.settings.limits.call_timeout * 3
        books = await work.budgets.open_books(budgets, [], at)
        books.open(budgets[0])
        await work.budgets.keep(books)
        await work.commit()


def has_asked(provider: Provider, times: int) -> bool:
    return len(provider.requests) == times


async def test_calls_torn_before_their_first_token_are_never_billed_above_the_count(
    tmp_path: Path,
) -> None:
    """Streamed or not, however it breaks: the budget counts what the provider may have billed."""
    faults = (Fault.RESET, Fault.CUT, Fault.EARLY_END, Fault.NOT_JSON, Fault.BAD_UTF8)

    def decide(request: Request) -> Reply:
        return Reply(fault=faults[request.number % len(faults)], fault_after=0, usage=None)

    async with Provider(decide=decide) as provider, paid_rig(tmp_path, provider, "1.00") as rig:
        async with rig.serving():
            turns = [
                await rig.say("hello", role="chat"),
                await rig.say("Which of the two is it, and why?"),
            ]
            await rig.until(turns, *AT_REST)
        asked = len(provider.requests)
        assert {bool(one.body.get("stream")) for one in provider.requests} == {True, False}
        assert asked >= 4
        assert COST * asked <= await counted(rig) <= BOUND * asked


async def test_a_run_whose_budget_is_too_small_waits_and_goes_on_once_it_is_raised(
    tmp_path: Path,
) -> None:
    """Exit 75, waiting by name, nothing asked; `budgets raise` lets the worker finish it."""
    async with Provider() as provider, paid_rig(tmp_path, provider, "5") as rig:
        async with rig.serving():
            run = await rig.start("run", "--budget", "0.05", "--role", "chat", "hello")
            code, _ = await run.ended()
            assert code == 75, run.lines
            async with rig.records.database.read() as work:
                (session,) = await work.sessions.list()
                (turn,) = await work.turns.of_session(session.id)
            assert turn.status is Status.WAITING
            assert "--budget" in (turn.error or "")
            assert provider.requests == []
            more = await rig.start("budgets", "raise", session.id, "1")
            code, out = await more.ended()
            assert code == 0, more.lines
            assert "It continues now." in out
            assert (await rig.until(turn, Status.DONE)).reply == "Hello there."
        assert len(provider.requests) == 1


async def test_what_kills_left_counted_is_bounded_by_what_was_sent_and_is_forgiven(
    tmp_path: Path,
) -> None:
    """Again and again killed in the middle of calls: no hold of a call that was never sent."""
    gate = asyncio.Event()
    provider = Provider(default=Reply(gate=gate))
    async with provider, paid_rig(tmp_path, provider, "9", max_turns=4) as rig:
        turns = [await rig.say("hello", role="chat") for _ in range(4)]
        for kill in range(1, 4):
            worker = await rig.serve()
            await provider.until(partial(has_asked, times=4 * kill), within=90)
            await worker.kill()
        gate.set()
        async with rig.serving():
            await rig.until(turns, Status.DONE)
        asked = len(provider.requests)
        assert asked == 4 * 4
        await the_dead_are_known(rig)
        assert COST * asked <= await counted(rig) <= COST * 4 + BOUND * 4 * 3
        forgive = await rig.start("budgets", "forgive", "all", "--why", "The machine was reset.")
        code, out = await forgive.ended()
        assert code == 0, forgive.lines
        assert "no longer counts" in out
        assert await counted(rig) == COST * 4
        async with rig.records.database.read() as work:
            (correction,) = await work.budgets.corrections()
        assert (correction.calls, correction.why) == (4 * 3, "The machine was reset.")
