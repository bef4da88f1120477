import asyncio
from dataclasses import replace
from decimal import Decimal

from noctule.core.budgets.budget_ledger import HoldPlaced, MustWait
from noctule.core.budgets.budgets import HoldState
from noctule.core.ports.database import Database
from noctule.core.times.windows import WindowKind
from tests.contract.conftest import Opener
from tests.support.budget_records import HOUR, a_bill, a_budget, a_claim
from tests.support.stored_records import NOON, later

DAILY = a_budget()
BOTH = (a_budget("b", "2"), a_budget("a", "1"))


async def place(database: Database, claim, at=NOON):
    """Place one claim in a transaction of its own."""
    async with database.work() as work:
        books = await work.budgets.open_books(claim.budgets, [], at)
        ruling = books.place(claim)
        await work.budgets.keep(books)
        await work.commit()
    return ruling


async def settle(database: Database, bill, at=NOON):
    """Settle one bill in a transaction of its own."""
    async with database.work() as work:
        books = await work.budgets.open_books(bill.budgets, [bill.id], at)
        books.settle(bill)
        await work.budgets.keep(books)
        await work.commit()


async def test_a_hold_and_its_bill_survive_in_the_tally(database: Database) -> None:
    """Placed on two budgets, settled on both; the tallies come back in the order of keys."""
    assert await place(database, a_claim("x", "0.7", *BOTH)) == HoldPlaced()
    assert await place(database, a_claim("y", "0.7", *BOTH)) == MustWait(BOTH[1])
    async with database.read() as work:
        held = await work.budgets.held()
        tallies = await work.budgets.tallies()
    assert sorted((hold.id, hold.key.name, hold.usd) for hold in held) == [
        ("x", "a", Decimal("0.7")),
        ("x", "b", Decimal("0.7")),
    ]
    assert [(t.key.name, t.usd, t.held_usd) for t in tallies] == [
        ("a", 1, Decimal("0.7")),
        ("b", 2, Decimal("0.7")),
    ]
    await settle(database, a_bill("x", "0.2", *BOTH))
    async with database.read() as work:
        tallies = await work.budgets.tallies()
        assert await work.budgets.held() == []
    assert [(t.held_usd, t.settled_usd) for t in tallies] == [(0, Decimal("0.2"))] * 2
    assert tallies[0].started_at == NOON
    assert tallies[0].ends_at == NOON + HOUR


async def test_what_is_not_committed_is_not_held(database: Database) -> None:
    """A process killed in the middle of a hold or a settle leaves neither half."""
    async with database.work() as work:
        books = await work.budgets.open_books((DAILY,), [], NOON)
        books.place(a_claim("x", "1"))
        await work.budgets.keep(books)
    async with database.read() as work:
        assert await work.budgets.held() == []
        assert await work.budgets.tallies() == []


async def test_an_expired_hold_is_recovered_and_a_late_bill_corrects_it(
    database: Database,
) -> None:
    """The rows of the dead come along when the budget is next used."""
    await place(database, a_claim("dead", "0.6"))
    assert await place(database, a_claim("x", "0.1", at=later(360)), later(360)) == HoldPlaced()
    async with database.read() as work:
        [tally] = await work.budgets.tallies()
        assert [hold.id for hold in await work.budgets.held()] == ["x"]
    assert (tally.recovered_usd, tally.settled_usd) == (Decimal("0.6"), Decimal("0.6"))
    await settle(database, a_bill("dead", "0.2"), later(370))
    async with database.read() as work:
        [tally] = await work.budgets.tallies()
    assert (tally.recovered_usd, tally.settled_usd) == (0, Decimal("0.2"))


async def test_recovered_money_is_forgotten_with_its_window(database: Database) -> None:
    """A bill that comes after the turn changes nothing: its window has counted the bound."""
    await place(database, a_claim("dead", "0.6"))
    await place(database, a_claim("x", "0.1", at=later(360)), later(360))
    await settle(database, a_bill("x", "0.1"), later(361))
    assert await place(database, a_claim("y", "1", at=NOON + HOUR), NOON + HOUR) == HoldPlaced()
    await settle(database, a_bill("dead", "0.5"), NOON + HOUR)
    async with database.read() as work:
        [tally] = await work.budgets.tallies()
        assert await work.budgets.spent(DAILY.key) == []
    assert (tally.number, tally.settled_usd, tally.held_usd) == (2, 0, 1)


async def test_a_rolling_window_keeps_what_it_reaches_and_no_more(database: Database) -> None:
    """Two bills half an hour apart leave it half an hour apart."""
    rolling = a_budget(kind=WindowKind.ROLLING)
    for name, at in (("x", NOON), ("y", later(1800))):
        await place(database, a_claim(name, "0.4", rolling, at=at), at)
        await settle(database, a_bill(name, "0.4", rolling), at)
    async with database.read() as work:
        spent = await work.budgets.spent(rolling.key)
    assert [(hold.id, hold.state, hold.at) for hold in spent] == [
        ("x", HoldState.SPENT, NOON),
        ("y", HoldState.SPENT, later(1800)),
    ]
    await place(database, a_claim("z", "0.4", rolling), NOON + HOUR)
    async with database.read() as work:
        [tally] = await work.budgets.tallies()
        assert [hold.id for hold in await work.budgets.spent(rolling.key)] == ["y"]
    assert tally.settled_usd == Decimal("0.4")


async def test_after_a_clock_was_set_back_everything_is_drawn_back(database: Database) -> None:
    """Holds and spending of a future that has not come yet count from now."""
    rolling = a_budget(kind=WindowKind.ROLLING)
    ahead = later(86400 * 30)
    await place(database, a_claim("x", "0.4", rolling, at=ahead), ahead)
    await settle(database, a_bill("x", "0.4", rolling), ahead)
    await place(database, a_claim("dead", "0.3", rolling, at=ahead), ahead)
    await place(database, a_claim("y", "0.1", rolling), NOON)
    async with database.read() as work:
        held = {hold.id: hold for hold in await work.budgets.held()}
        assert [hold.at for hold in await work.budgets.spent(rolling.key)] == [NOON]
    assert held["dead"].expires_at == later(360)


async def test_several_processes_never_overspend_together(open_again: Opener) -> None:
    """Fifty calls of a tenth through two connections: ten are paid for, whoever comes first."""
    databases = [await open_again(), await open_again()]

    async def call(number: int) -> bool:
        database = databases[number % 2]
        claim = a_claim(f"c{number:02}", "0.1", *reversed(BOTH), at=NOON)
        if not isinstance(await place(database, claim), HoldPlaced):
            return False
        await settle(database, a_bill(claim.id, "0.1", *BOTH))
        return True

    paid = await asyncio.gather(*(call(number) for number in range(50)))
    assert sum(paid) <= 10
    async with databases[0].read() as work:
        tallies = {tally.key.name: tally for tally in await work.budgets.tallies()}
    assert tallies["a"].settled_usd == Decimal("0.1") * sum(paid)
    assert tallies["a"].held_usd == 0


async def test_only_holds_that_still_count_are_marked_as_sent(database: Database) -> None:
    """One of a call under way on every budget; none that is overdue, settled or was never there."""
    await place(database, replace(a_claim("x", "0.1", *BOTH), sent=False))
    await place(database, replace(a_claim("old", "0.1", most=HOUR / 60), sent=False))
    await place(database, a_claim("paid", "0.1"))
    await settle(database, a_bill("paid", "0.1"))
    async with database.work() as work:
        marked = await work.budgets.mark_sent(["x", "old", "paid", "none"], later(120))
        again = await work.budgets.mark_sent(["x"], later(120))
        await work.commit()
    assert (dict(marked), dict(again)) == ({"x": 2}, {"x": 2})
    async with database.read() as work:
        sent = [(hold.id, hold.key.name, hold.sent) for hold in await work.budgets.held()]
    assert sorted(sent) == [("old", "daily", False), ("x", "a", True), ("x", "b", True)]


async def test_marking_as_sent_touches_no_tally(database: Database) -> None:
    """What a budget has come to, and when it was last used, stays as it is."""
    await place(database, replace(a_claim("x", "0.1"), sent=False))
    async with database.read() as work:
        before = await work.budgets.tallies()
    async with database.work() as work:
        await work.budgets.mark_sent(["x"], later(120))
        await work.commit()
    async with database.read() as work:
        assert await work.budgets.tallies() == before
