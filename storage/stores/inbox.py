"""What came in from a messenger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from noctule.core.messaging.messages import InboxUpdate
from storage.base.transaction import Transaction
from storage.tables import inbox
from storage.tables.mail import unhandled

_KEYS = ["channel", "number"]
_ADD = {
    "sqlite": sqlite.insert(inbox).on_conflict_do_nothing(index_elements=_KEYS),
    "postgresql": postgresql.insert(inbox).on_conflict_do_nothing(index_elements=_KEYS),
}
_RETURNING = {name: insert.returning(inbox.c.number) for name, insert in _ADD.items()}
_HIGHEST = sa.select(sa.func.max(inbox.c.number)).where(
    inbox.c.channel == sa.bindparam("in_channel")
)
_NEWEST_AT = sa.select(sa.func.max(inbox.c.received_at)).where(
    inbox.c.channel == sa.bindparam("in_channel")
)
_WAITING = (
    sa.select(inbox)
    .where(unhandled, inbox.c.channel == sa.bindparam("in_channel"))
    .order_by(inbox.c.number)
)
_ONE = inbox.update().where(
    inbox.c.channel == sa.bindparam("in_channel"), inbox.c.number == sa.bindparam("of_number")
)
_BEGIN = _ONE.values(tries=inbox.c.tries + 1)
_HANDLED = _ONE.where(unhandled).values(handled_at=sa.bindparam("at"), error=sa.bindparam("why"))


class SqlInbox:
    """What came in from a messenger."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, updates: Sequence[InboxUpdate]) -> int:
        """Store updates; those with a stored number change nothing. Return how many were new."""
        return await self._transaction.run(_add, updates)

    async def next_number(self, channel: str) -> int | None:
        """Return the number after the highest stored one; None when none is stored."""
        return await self._transaction.run(_next_number, channel)

    async def newest_at(self, channel: str) -> datetime | None:
        """Return when the last update was received; None when none is stored."""
        return await self._transaction.run(_newest_at, channel)

    async def waiting(self, channel: str) -> list[InboxUpdate]:
        """Return the updates not handled yet, in order of number."""
        return await self._transaction.run_long(_waiting, channel)

    async def begin(self, channel: str, number: int) -> None:
        """Count a try at handling one."""
        await self._transaction.run(_change, _BEGIN, channel, number, {})

    async def handled(
        self, channel: str, number: int, *, at: datetime, error: str | None = None
    ) -> None:
        """Note that one needs no handling any more, and why it was given up if it was."""
        await self._transaction.run(_change, _HANDLED, channel, number, {"at": at, "why": error})

    async def prune(self, channel: str, *, before: datetime) -> int:
        """Drop handled updates received before a moment, but never the newest."""
        return await self._transaction.run_long(_prune, channel, before)


def _add(connection: Connection, updates: Sequence[InboxUpdate]) -> int:
    added = 0
    for update in updates:
        values = {c.key: getattr(update, c.key) for c in inbox.columns}
        values["payload"] = dict(update.payload)
        stored = connection.execute(_RETURNING[connection.dialect.name], values).first()
        added += stored is not None
    return added


def _next_number(connection: Connection, channel: str) -> int | None:
    highest = connection.execute(_HIGHEST, {"in_channel": channel}).scalar_one()
    return None if highest is None else int(highest) + 1


def _newest_at(connection: Connection, channel: str) -> datetime | None:
    newest: datetime | None = connection.execute(_NEWEST_AT, {"in_channel": channel}).scalar_one()
    return newest


def _waiting(connection: Connection, channel: str) -> list[InboxUpdate]:
    return [InboxUpdate(*row) for row in connection.execute(_WAITING, {"in_channel": channel})]


def _change(
    connection: Connection, statement: sa.Update, channel: str, number: int, values: dict[str, Any]
) -> None:
    connection.execute(statement, {"in_channel": channel, "of_number": number, **values})


def _prune(connection: Connection, channel: str, before: datetime) -> int:
    highest = connection.execute(_HIGHEST, {"in_channel": channel}).scalar_one()
    if highest is None:
        return 0
    statement = inbox.delete().where(
        inbox.c.channel == channel,
        inbox.c.handled_at.is_not(None),
        inbox.c.received_at < before,
        inbox.c.number < highest,
    )
    return connection.execute(statement).rowcount
