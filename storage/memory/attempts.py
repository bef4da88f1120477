"""The routing log and the ledger."""

from datetime import datetime

from noctule.core.attempts import Attempt
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, twice


class MemoryAttempts:
    """The ledger."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, attempt: Attempt) -> None:
        """Write one attempt; the same one again does nothing."""
        tables = await self._transaction.writing("attempts")
        known = tables.attempts.setdefault(attempt.id, stored(attempt))
        if known.call_id != attempt.call_id:
            raise twice("attempt", attempt.id)

    async def list(
        self,
        *,
        session_id: str | None = None,
        turn_id: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Attempt]:
        """Return attempts, newest first; None means no such restriction, and all of them."""
        tables = await self._transaction.reading()
        found = [
            attempt
            for attempt in tables.attempts.values()
            if (session_id is None or attempt.session_id == session_id)
            and (turn_id is None or attempt.turn_id == turn_id)
            and (since is None or attempt.started_at >= since)
        ]
        return sorted(found, key=lambda attempt: attempt.id, reverse=True)[:limit]
