"""What people allowed beyond the configuration."""

from noctule.core.grants import Grant
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, missing_parent, twice


class MemoryGrants:
    """What people allowed beyond the configuration."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, grant: Grant) -> None:
        """Store a new grant."""
        tables = await self._transaction.writing("grants")
        if grant.id in tables.grants:
            raise twice("grant", grant.id)
        if grant.session_id is not None and grant.session_id not in tables.sessions:
            raise missing_parent("session", grant.session_id)
        tables.grants[grant.id] = stored(grant)

    async def of(self, owner: str, session_id: str) -> list[Grant]:
        """Return what holds for a session: its own grants and its owner's lasting ones."""
        return [g for g in await self.list(owner) if g.session_id in {None, session_id}]

    async def list(self, owner: str | None = None) -> list[Grant]:
        """Return every grant, oldest first; None means of everybody."""
        grants = (await self._transaction.reading()).grants.values()
        found = [grant for grant in grants if owner is None or grant.owner == owner]
        return sorted(found, key=lambda grant: grant.id)

    async def revoke(self, grant_id: str) -> bool:
        """Take a grant back; return whether there was one."""
        tables = await self._transaction.writing("grants")
        return tables.grants.pop(grant_id, None) is not None
