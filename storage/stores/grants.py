"""What people allowed beyond the configuration."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.sessions.grants import Grant
from storage.base.transaction import Transaction
from storage.tables import grants

_INSERT = grants.insert()
_OLDEST_FIRST = sa.select(grants).order_by(grants.c.id)
_OF = _OLDEST_FIRST.where(
    grants.c.owner == sa.bindparam("of_owner"),
    sa.or_(grants.c.session_id.is_(None), grants.c.session_id == sa.bindparam("of_session")),
)
_REVOKE = grants.delete().where(grants.c.id == sa.bindparam("grant_id"))


class SqlGrants:
    """What people allowed beyond the configuration."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, grant: Grant) -> None:
        """Store a new grant."""
        await self._transaction.run(_add, grant)

    async def of(self, owner: str, session_id: str) -> list[Grant]:
        """Return what holds for a session: its own grants and its owner's lasting ones."""
        values = {"of_owner": owner, "of_session": session_id}
        return await self._transaction.run(_list, _OF, values)

    async def list(self, owner: str | None = None) -> list[Grant]:
        """Return every grant, oldest first; None means of everybody."""
        of_owner = _OLDEST_FIRST.where(grants.c.owner == owner)
        return await self._transaction.run(_list, _OLDEST_FIRST if owner is None else of_owner, {})

    async def revoke(self, grant_id: str) -> bool:
        """Take a grant back; return whether there was one."""
        return await self._transaction.run(_revoke, grant_id)


def _add(connection: Connection, grant: Grant) -> None:
    connection.execute(_INSERT, {c.name: getattr(grant, c.name) for c in grants.columns})


def _list(connection: Connection, statement: sa.Select[Any], values: dict[str, str]) -> list[Grant]:
    return [Grant(*row) for row in connection.execute(statement, values)]


def _revoke(connection: Connection, grant_id: str) -> bool:
    return connection.execute(_REVOKE, {"grant_id": grant_id}).rowcount > 0
