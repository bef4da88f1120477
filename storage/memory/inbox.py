"""What came in from a messenger."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from noctule.core.mail import Incoming
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction


class MemoryInbox:
    """What came in from a messenger."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, updates: Sequence[Incoming]) -> int:
        """Store updates; those with a stored number change nothing. Return how many were new."""
        tables = await self._transaction.writing("inbox")
        before = len(tables.inbox)
        for update in updates:
            tables.inbox.setdefault((update.channel, update.number), stored(update))
        return len(tables.inbox) - before

    async def next_number(self, channel: str) -> int | None:
        """Return the number after the highest stored one; None when none is stored."""
        numbers = [number for name, number in await self._keys() if name == channel]
        return max(numbers) + 1 if numbers else None

    async def newest_at(self, channel: str) -> datetime | None:
        """Return when the last update was received; None when none is stored."""
        updates = (await self._transaction.reading()).inbox.values()
        return max((u.received_at for u in updates if u.channel == channel), default=None)

    async def waiting(self, channel: str) -> list[Incoming]:
        """Return the updates not handled yet, in order of number."""
        updates = (await self._transaction.reading()).inbox.values()
        found = [u for u in updates if u.channel == channel and u.handled_at is None]
        return sorted(found, key=lambda update: update.number)

    async def begin(self, channel: str, number: int) -> None:
        """Count a try at handling one."""
        tables = await self._transaction.writing("inbox")
        update = tables.inbox.get((channel, number))
        if update is not None:
            tables.inbox[channel, number] = replace(update, tries=update.tries + 1)

    async def handled(
        self, channel: str, number: int, *, at: datetime, error: str | None = None
    ) -> None:
        """Note that one needs no handling any more, and why it was given up if it was."""
        tables = await self._transaction.writing("inbox")
        update = tables.inbox.get((channel, number))
        if update is not None and update.handled_at is None:
            tables.inbox[channel, number] = stored(replace(update, handled_at=at, error=error))

    async def prune(self, channel: str, *, before: datetime) -> int:
        """Drop handled updates received before a moment, but never the newest."""
        tables = await self._transaction.writing("inbox")
        newest = max((number for name, number in tables.inbox if name == channel), default=None)
        old = [
            key
            for key, update in tables.inbox.items()
            if update.channel == channel
            and update.handled_at is not None
            and update.received_at < before
            and update.number != newest
        ]
        for key in old:
            del tables.inbox[key]
        return len(old)

    async def _keys(self) -> list[tuple[str, int]]:
        return list((await self._transaction.reading()).inbox)
