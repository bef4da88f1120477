"""What is refused until when."""

from noctule.core.limits import Limit, LimitKey
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction


class MemoryLimits:
    """What is refused until when."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def put(self, limit: Limit) -> None:
        """Store or replace the limit of its key."""
        tables = await self._transaction.writing("limits")
        tables.limits[limit.key] = stored(limit)

    async def list(self) -> list[Limit]:
        """Return every stored limit, past ones included, in order of endpoint and model."""
        limits = (await self._transaction.reading()).limits.values()
        return sorted(limits, key=lambda limit: _order(limit.key))

    async def clear(self, key: LimitKey | None = None) -> int:
        """Forget one limit, or with None all of them; return how many there were."""
        tables = await self._transaction.writing("limits")
        gone = list(tables.limits) if key is None else [k for k in tables.limits if k == key]
        for known in gone:
            del tables.limits[known]
        return len(gone)


def _order(key: LimitKey) -> tuple[str, str, str]:
    return key.endpoint, key.key_fingerprint, key.model or ""
