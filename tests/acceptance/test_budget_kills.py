import asyncio
import signal
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from noctule.bootstrap import run_reports
from noctule.core.base.roles import Role
from noctule.core.budgets.budget_ledger import HoldPlaced, HoldRequest, MustWait
from noctule.core.budgets.budget_scopes import BudgetScopes, BudgetSubject
from noctule.core.budgets.budgets import BudgetUsage
from noctule.core.clock import SystemClock
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from storage.open import open_database
from tests.support.budget_records import a_budget
from tests.support.command_line import ROLES
from tests.support.provider import Provider, Reply
from tests.support.rig import Rig

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
DAILY = a_budget()
BOUND, COST, LIMIT = Decimal("0.10"), Decimal("0.03"), Decimal("0.25")
"""What a call of the rig may cost (10 tokens at a cent), what it does (3), and what may be spent:
two bounds fit, so that the next worker need not wait until the dead one must be gone."""


async def killed_at(url: str, point: str) -> None:
    """Run a payer and end it with SIGKILL at a point."""
    subject = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.budget_victim", url, point),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert subject.stdout is not None
    async with asyncio.timeout(60):
        assert (await subject.stdout.readline()).decode().strip() == point
    subject.kill()
    await subject.wait()


@pytest.mark.parametrize(
    ("point", "held", "settled", "recovered"),
    [
        ("in-hold", "0", "0", "0"),
        ("after-hold", "0.60", "0", "0.60"),
        ("in-settle", "0.60", "0", "0.60"),
        ("after-settle", "0", "0.20", "0"),
    ],
)
async def test_a_kill_loses_no_money(
    tmp_path: Path, point: str, held: str, settled: str, recovered: str
) -> None:
    """Held, or recovered as spent once it must be dead, or settled: never half, never forgotten."""
    url = f"sqlite:///{tmp_path / 'noctule.db'}"
    await killed_at(url, point)
    clock = SystemClock()
    database = await open_database(url, data_folder=tmp_path, clock=clock)
    try:
        async with database.read() as work:
            tallies = await work.budgets.tallies()
        now = [(tally.held_usd, tally.settled_usd) for tally in tallies] or [
            (Decimal(0), Decimal(0))
        ]
        assert now == [(Decimal(held), Decimal(settled))]
        soon = clock.now()
        for at, expected in ((soon, held), (soon + timedelta(minutes=7), "0")):
            claim = HoldRequest("next", Decimal("0.50"), (DAILY,), at + timedelta(minutes=6))
            async with database.work() as work:
                books = await work.budgets.open_books((DAILY,), [], at)
                ruling = books.place(claim)
                tally = books.open(DAILY)
                if at is soon:
                    assert isinstance(ruling, MustWait if Decimal(expected) else HoldPlaced)
                else:
                    assert tally.recovered_usd == Decimal(recovered)
    finally:
        await database.close()


def paid_rig(folder: Path, provider: Provider) -> Rig:
    """Return a rig on which calls cost money that one budget pays."""
    price = {"input": 0, "output": 10_000}
    model = {"endpoint": "shop", "name": "loop", "context": 32000, "price": price}
    return Rig(
        folder,
        provider.openai_url,
        models={"loop": model},
        roles={role: {"primary": "loop", "max_tokens": 10, "tools": []} for role in ROLES},
        budgets={"all": {"scope": "global", "usd": str(LIMIT), "window": "1h"}},
    )


async def run_until_killed(rig: Rig, provider: Provider, point: str) -> None:
    """Run ``noctule run`` to a point of its first call, where it ends itself with SIGKILL."""
    env: dict[str, Any] = {**rig.command_line.env, "NOCTULE_CONFIG": str(rig.path)}
    run = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.budget_crash", point, str(provider.port), "run", "hello"),
        cwd=ROOT,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            assert await run.wait() == -signal.SIGKILL
    finally:
        if run.returncode is None:
            run.kill()
            await run.wait()


async def the_turn(rig: Rig) -> Turn:
    """Return the only turn there is."""
    async with rig.records.database.read() as work:
        (session,) = await work.sessions.list()
        (turn,) = await work.turns.of_session(session.id)
    return turn


async def books_are_closed(rig: Rig) -> BudgetUsage:
    """Return the tally after the time at which every dead process must be gone."""
    subject = BudgetSubject(Role.CHAT, "s", "local")
    budgets = BudgetScopes(rig.records.settings).of("loop", subject)
    async with rig.records.database.work() as work:
        at = rig.records.clock.now() + timedelta(minutes=10)
        books = await work.budgets.open_books(budgets, [], at)
        tally = books.open(budgets[0])
        await work.budgets.keep(books)
        await work.commit()
        assert await work.budgets.held() == []
    return tally


@pytest.mark.parametrize(
    ("point", "asked", "recovered"),
    [
        ("in-hold", 0, Decimal(0)),
        ("before-call", 0, Decimal(0)),
        ("before-leaving", 0, Decimal(0)),
        ("before-settle", 1, BOUND),
        ("in-settle", 1, BOUND),
        ("before-commit", 1, BOUND),
        ("after-settle", 1, Decimal(0)),
    ],
)
async def test_a_run_killed_while_it_pays_is_finished_by_a_worker(
    tmp_path: Path, point: str, asked: int, recovered: Decimal
) -> None:
    """Its work is done, no window is overspent, what it held is recovered or was settled."""
    async with Provider() as provider, paid_rig(tmp_path, provider) as rig:
        await run_until_killed(rig, provider, point)
        assert len(provider.requests) == asked
        turn = await the_turn(rig)
        assert turn.status is Status.RUNNING
        async with rig.serving():
            assert (await rig.until(turn, Status.DONE)).reply == "Hello there."
        assert len(provider.requests) == asked + 1
        tally = await books_are_closed(rig)
        settled = COST * (2 if point == "after-settle" else 1)
        assert (tally.recovered_usd, tally.held_usd) == (recovered, 0)
        if point == "after-settle":  # the answer was paid and lost: people are told
            assert (await run_reports(rig.records).of(await rig.turn(turn))).repeated == 1
        assert tally.settled_usd == settled + recovered
        # What the provider will bill, whoever died, is covered by what the budget counts.
        assert COST * len(provider.requests) <= tally.settled_usd <= LIMIT
        assert tally.over_usd == 0


async def test_a_run_killed_in_the_middle_of_a_call_says_that_it_was_repeated(
    tmp_path: Path,
) -> None:
    """The request that was cut off is made again, its hold counts as spent, and people are told."""
    gate = asyncio.Event()
    provider = Provider(default=Reply(gate=gate))
    async with provider, paid_rig(tmp_path, provider) as rig:
        run = await rig.start("run", "hello")
        await provider.until(lambda one: one.busy == 1, within=60)
        await rig.records.clock.sleep(1)  # until it is written down that it was sent
        await run.kill()
        gate.set()
        async with rig.serving():
            turn = await rig.until(await the_turn(rig), Status.DONE)
        report = await run_reports(rig.records).of(turn)
        assert (report.repeated, report.cost_usd) == (1, COST)
        assert (await books_are_closed(rig)).settled_usd == COST + BOUND
