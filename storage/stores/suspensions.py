"""When machines slept although there was work."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.sessions.suspensions import Suspension
from storage.base.transaction import Transaction
from storage.tables.suspensions import suspensions

_INSERT = suspensions.insert()
_SINCE = (
    sa.select(suspensions)
    .where(suspensions.c.ended_at > sa.bindparam("moment", type_=suspensions.c.ended_at.type))
    .order_by(suspensions.c.id)
)


class SqlSuspensions:
    """When machines slept although there was work."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, suspension: Suspension) -> None:
        """Store one."""
        await self._transaction.run(_add, suspension)

    async def since(self, moment: datetime) -> list[Suspension]:
        """Return those that ended after a moment, oldest first."""
        return await self._transaction.run(_since, moment)


def _add(connection: Connection, suspension: Suspension) -> None:
    connection.execute(_INSERT, {c.name: getattr(suspension, c.name) for c in suspensions.columns})


def _since(connection: Connection, moment: datetime) -> list[Suspension]:
    return [Suspension(*row) for row in connection.execute(_SINCE, {"moment": moment})]
