import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from noctule.core.budgets.budget_ledger import HoldPlaced
from noctule.core.clock import SystemClock
from noctule.models.spend.budget_writer import BudgetWriter, HoldRefused
from storage.sqlite.database import SqliteDatabase
from tests.support.budget_records import a_bill, a_claim
from tests.support.scratch import scratch_database

MOST = timedelta(minutes=6)


def held_up(name: str = "a", *, late: bool = False):
    """Return a claim whose request has not left; one that is late is overdue already."""
    at = SystemClock().now() - 2 * MOST if late else SystemClock().now()
    return replace(a_claim(name, "0.60", at=at), sent=False)


async def money(database: SqliteDatabase) -> tuple[Decimal, Decimal]:
    """Return what the only budget holds and has spent."""
    async with database.read() as work:
        [tally] = await work.budgets.tallies()
    return tally.held_usd, tally.settled_usd


async def test_a_request_that_leaves_is_noted_on_its_hold() -> None:
    """From then on it counts in full should its process die."""
    database = scratch_database()
    budget_writer = BudgetWriter(database, SystemClock())
    claim = held_up()
    assert isinstance(await budget_writer.enter(claim), HoldPlaced)
    assert await budget_writer.note_sent(claim)
    async with database.read() as work:
        [hold] = await work.budgets.held()
    assert hold.sent


async def test_a_hold_that_is_overdue_or_gone_is_not_noted() -> None:
    """Its caller has to claim the money again, which others may have by now."""
    database = scratch_database()
    budget_writer = BudgetWriter(database, SystemClock())
    late, gone = held_up("late", late=True), held_up("gone")
    await budget_writer.enter(late)
    assert not await budget_writer.note_sent(late)
    assert not await budget_writer.note_sent(gone)
    assert isinstance(
        await budget_writer.enter(a_claim("b", "0.60", at=SystemClock().now())), HoldPlaced
    )
    assert isinstance(
        await budget_writer.enter(replace(late, usd=Decimal(2)), again=True), HoldRefused
    )


async def test_a_caller_that_is_gone_places_nothing_anew() -> None:
    """Cancelled while its claim was to be repeated: its bill stands, and no hold comes after it."""
    database = scratch_database()
    budget_writer = BudgetWriter(database, SystemClock())
    claim = held_up()
    await budget_writer.enter(claim)
    noted = budget_writer.note_sent(claim)
    repeated = budget_writer.enter(replace(claim, sent=True), again=True)
    noted.cancel()
    repeated.cancel()
    await budget_writer.enter(a_bill("a", "0"))
    await budget_writer.close()
    assert await money(database) == (0, 0)


async def test_notes_of_many_calls_share_a_transaction() -> None:
    """Each learns of its own hold."""
    database = scratch_database()
    budget_writer = BudgetWriter(database, SystemClock())
    claims = [replace(held_up(f"c{number}"), usd=Decimal("0.01")) for number in range(20)]
    await asyncio.gather(*(budget_writer.enter(claim) for claim in claims))
    noted = await asyncio.gather(*map(budget_writer.note_sent, [*claims, held_up("none")]))
    assert noted == [True] * 20 + [False]
