"""When machines slept although there was work."""

from datetime import datetime

from noctule.core.suspensions import Suspension
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction


class MemorySuspensions:
    """When machines slept although there was work."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, suspension: Suspension) -> None:
        """Store one."""
        known = (await self._transaction.writing("suspensions")).suspensions
        known[suspension.id] = stored(suspension)

    async def since(self, moment: datetime) -> list[Suspension]:
        """Return those that ended after a moment, oldest first."""
        known = (await self._transaction.reading()).suspensions.values()
        found = [suspension for suspension in known if suspension.ended_at > moment]
        return sorted(found, key=lambda suspension: suspension.id)
