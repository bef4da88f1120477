"""What people say to turns while they work."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.sessions.steers import Steer
from storage.base.transaction import Transaction
from storage.tables import steers

_INSERT = steers.insert()
_WAITING = (
    sa.select(steers)
    .where(steers.c.turn_id == sa.bindparam("of_turn"), steers.c.taken_at.is_(None))
    .order_by(steers.c.id)
)
_TAKE = (
    steers.update()
    .where(steers.c.id == sa.bindparam("steer_id"), steers.c.taken_at.is_(None))
    .values(taken_at=sa.bindparam("at", type_=steers.c.taken_at.type))
)


class SqlSteers:
    """What people say to turns while they work."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, steer: Steer) -> None:
        """Store a remark."""
        await self._transaction.run(_add, steer)

    async def waiting(self, turn_id: str) -> list[Steer]:
        """Return the remarks no loop has read yet, oldest first."""
        return await self._transaction.run(_waiting, turn_id)

    async def take(self, steer_ids: Sequence[str], *, at: datetime) -> None:
        """Note that a loop has read them."""
        await self._transaction.run(_take, steer_ids, at)


def _add(connection: Connection, steer: Steer) -> None:
    connection.execute(_INSERT, {c.name: getattr(steer, c.name) for c in steers.columns})


def _waiting(connection: Connection, turn_id: str) -> list[Steer]:
    return [Steer(*row) for row in connection.execute(_WAITING, {"of_turn": turn_id})]


def _take(connection: Connection, steer_ids: Sequence[str], at: datetime) -> None:
    if steer_ids:
        connection.execute(_TAKE, [{"steer_id": name, "at": at} for name in steer_ids])
