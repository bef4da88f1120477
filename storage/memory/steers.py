"""What people say to turns while they work."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from noctule.core.steers import Steer
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, missing_parent, twice


class MemorySteers:
    """What people say to turns while they work."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, steer: Steer) -> None:
        """Store a remark."""
        tables = await self._transaction.writing("steers")
        if steer.id in tables.steers:
            raise twice("steer", steer.id)
        if steer.turn_id not in tables.turns:
            raise missing_parent("turn", steer.turn_id)
        tables.steers[steer.id] = stored(steer)

    async def waiting(self, turn_id: str) -> list[Steer]:
        """Return the remarks no loop has read yet, oldest first."""
        steers = (await self._transaction.reading()).steers.values()
        found = [s for s in steers if s.turn_id == turn_id and s.taken_at is None]
        return sorted(found, key=lambda steer: steer.id)

    async def take(self, steer_ids: Sequence[str], *, at: datetime) -> None:
        """Note that a loop has read them."""
        tables = await self._transaction.writing("steers")
        for name in steer_ids:
            steer = tables.steers.get(name)
            if steer is not None and steer.taken_at is None:
                tables.steers[name] = stored(replace(steer, taken_at=at))
