"""What budgets have come to, and the holds on them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from noctule.core.books import Books, horizon
from noctule.core.budgets import CLOCK_SLACK, Budget, BudgetKey, Hold, HoldState, Tally
from noctule.core.corrections import Correction
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction


class MemoryBudgets:
    """What budgets have come to, and the holds on them."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def open_books(
        self, budgets: Sequence[Budget], hold_ids: Sequence[str], now: datetime
    ) -> Books:
        """Lock the rows of some budgets, in the order of their keys, and return their books."""
        tables = await self._transaction.writing("tallies", "holds")
        reaches = {budget.key: horizon(budget, now) for budget in budgets}
        ids = set(hold_ids)
        holds = [
            hold
            for hold in tables.holds.values()
            if hold.id in ids or (hold.key in reaches and _concerns(hold, reaches[hold.key], now))
        ]
        return Books(now, [t for key, t in tables.tallies.items() if key in reaches], holds)

    async def keep(self, books: Books) -> None:
        """Write back what books say has changed."""
        tables = await self._transaction.writing("tallies", "holds")
        tables.tallies.update({tally.key: stored(tally) for tally in books.tallies})
        for place, hold in list(tables.holds.items()):
            if hold.key in books.turned and hold.state is not HoldState.HELD:
                del tables.holds[place]
        for place in books.gone:
            tables.holds.pop(place, None)
        tables.holds.update({place: stored(hold) for place, hold in books.kept.items()})

    async def mark_sent(self, hold_ids: Sequence[str], now: datetime) -> Mapping[str, int]:
        """Note that the requests of some calls leave; return how many holds of each were marked."""
        tables, ids = await self._transaction.writing("holds"), set(hold_ids)
        marked = {
            place: replace(hold, sent=True)
            for place, hold in tables.holds.items()
            if hold.id in ids and hold.state is HoldState.HELD and hold.expires_at > now
        }
        tables.holds.update(marked)
        return Counter(hold.id for hold in marked.values())

    async def spent(self, key: BudgetKey) -> list[Hold]:
        """Return what counts as spent in a rolling window, oldest first."""
        holds = (await self._transaction.reading()).holds.values()
        spent = [hold for hold in holds if hold.key == key and hold.state is not HoldState.HELD]
        return sorted(spent, key=lambda hold: hold.at)

    async def tallies(self) -> list[Tally]:
        """Return every stored tally, in the order of keys."""
        return sorted((await self._transaction.reading()).tallies.values(), key=lambda t: t.key)

    async def held(self) -> list[Hold]:
        """Return the holds of calls under way, oldest first."""
        holds = (await self._transaction.reading()).holds.values()
        held = [hold for hold in holds if hold.state is HoldState.HELD]
        return sorted(held, key=lambda hold: (hold.at, hold.id))

    async def correct(self, correction: Correction) -> None:
        """Put a correction on record."""
        (await self._transaction.writing("corrections")).corrections[correction.id] = correction

    async def corrections(self) -> list[Correction]:
        """Return every correction, oldest first."""
        known = (await self._transaction.reading()).corrections.values()
        return sorted(known, key=lambda correction: correction.id)


def _concerns(hold: Hold, reach: datetime | None, now: datetime) -> bool:
    if hold.at > now + CLOCK_SLACK:
        return True
    if hold.state is HoldState.HELD:
        return hold.expires_at <= now
    return reach is not None and hold.at <= reach
