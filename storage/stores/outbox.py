"""What is to go out to a messenger."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.messaging.messages import Backlog, OutboxMessage, OutgoingKind, OutgoingState
from storage.base.transaction import Transaction
from storage.tables import inbox, outbox
from storage.tables.mail import underway, unhandled

_INSERT = outbox.insert()
_KEYED = sa.select(outbox).where(
    outbox.c.channel == sa.bindparam("in_channel"), outbox.c.key == sa.bindparam("with_key")
)
_BY_KEY = _KEYED.order_by(outbox.c.id.desc()).limit(1)
_PENDING_EDIT = outbox.update().where(
    outbox.c.channel == sa.bindparam("in_channel"),
    outbox.c.key == sa.bindparam("with_key"),
    outbox.c.kind == OutgoingKind.EDIT,
    outbox.c.state == OutgoingState.PENDING,
)
_BY_MESSAGE = (
    sa.select(outbox)
    .where(
        outbox.c.channel == sa.bindparam("in_channel"),
        outbox.c.place == sa.bindparam("in_place"),
        outbox.c.message_id == sa.bindparam("sent_as"),
        outbox.c.kind != OutgoingKind.EDIT,
    )
    .order_by(outbox.c.id.desc())
    .limit(1)
)
_WAITING = (
    sa.select(outbox)
    .where(underway, outbox.c.channel == sa.bindparam("in_channel"))
    .order_by(outbox.c.id)
)
_FIRST = _WAITING.where(outbox.c.place == sa.bindparam("in_place")).limit(1)
_COUNT = sa.select(sa.func.count(), sa.func.min(outbox.c.created_at)).where(
    underway, outbox.c.channel == sa.bindparam("in_channel")
)
_COUNT_IN = sa.select(sa.func.count(), sa.func.min(inbox.c.received_at)).where(
    unhandled, inbox.c.channel == sa.bindparam("in_channel")
)
_COUNT_FAILED = (
    sa.select(sa.func.count())
    .select_from(outbox)
    .where(outbox.c.state == OutgoingState.FAILED, outbox.c.channel == sa.bindparam("in_channel"))
)
_ONE = outbox.update().where(outbox.c.id == sa.bindparam("of_id"))


class SqlOutbox:
    """What is to go out to a messenger."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, message: OutboxMessage) -> bool:
        """Store a message; return False when one with its key is there.

        An edit with the key of an edit that is still pending takes its place.
        """
        return await self._transaction.run(_add, message)

    async def waiting(self, channel: str) -> list[OutboxMessage]:
        """Return what is pending or was being sent, in order of id."""
        return await self._transaction.run_long(_list, _WAITING, {"in_channel": channel})

    async def first(self, channel: str, place: str) -> OutboxMessage | None:
        """Return what goes out next at a place; None when nothing waits there."""
        values = {"in_channel": channel, "in_place": place}
        found = await self._transaction.run(_list, _FIRST, values)
        return found[0] if found else None

    async def by_key(self, channel: str, key: str) -> OutboxMessage | None:
        """Return one message; None when none has the key. Of edits the newest."""
        values = {"in_channel": channel, "with_key": key}
        found = await self._transaction.run(_list, _BY_KEY, values)
        return found[0] if found else None

    async def by_message(self, channel: str, place: str, message_id: str) -> OutboxMessage | None:
        """Return what was sent as a message of the messenger; None when it was not ours."""
        values = {"in_channel": channel, "in_place": place, "sent_as": message_id}
        found = await self._transaction.run(_list, _BY_MESSAGE, values)
        return found[0] if found else None

    async def sending(self, message_id: str, *, repeated: bool = False) -> None:
        """Note that one is handed over now, and whether it may stand there already."""
        changes: dict[str, Any] = {
            "state": OutgoingState.SENDING,
            "tries": outbox.c.tries + 1,
        }
        if repeated:
            changes["repeated"] = True
        await self._transaction.run(_change, message_id, changes)

    async def sent(self, message_id: str, *, sent_as: str | None, at: datetime) -> None:
        """Note that one arrived, and what the messenger calls it."""
        changes = {
            "state": OutgoingState.SENT,
            "message_id": sent_as,
            "sent_at": at,
            "error": None,
        }
        await self._transaction.run(_change, message_id, changes)

    async def later(self, message_id: str, *, not_before: datetime, error: str) -> None:
        """Put one back until a moment."""
        changes = {"state": OutgoingState.PENDING, "not_before": not_before, "error": error}
        await self._transaction.run(_change, message_id, changes)

    async def failed(
        self, message_id: str, *, error: str, state: OutgoingState = OutgoingState.FAILED
    ) -> None:
        """Give one up."""
        await self._transaction.run(_change, message_id, {"state": state, "error": error})

    async def rewrite(self, message_id: str, body: Mapping[str, Any]) -> None:
        """Change the body of one that is not sent yet (plain text in place of markup)."""
        await self._transaction.run(_change, message_id, {"body": dict(body)})

    async def backlog(self, channel: str) -> Backlog:
        """Return how much mail of a messenger waits, incoming included."""
        return await self._transaction.run(_backlog, channel)

    async def prune(self, channel: str, *, before: datetime) -> int:
        """Drop what was sent or dropped before a moment; return how many."""
        return await self._transaction.run_long(_prune, channel, before)


def _add(connection: Connection, message: OutboxMessage) -> bool:
    key = {"in_channel": message.channel, "with_key": message.key}
    values = {c.key: getattr(message, c.key) for c in outbox.columns}
    values["body"] = dict(message.body)
    if message.kind is OutgoingKind.EDIT:
        newer = _PENDING_EDIT.values(body=values["body"], silent=message.silent)
        if connection.execute(newer, key).rowcount:
            return True
    elif connection.execute(_KEYED.limit(1), key).first() is not None:
        return False
    connection.execute(_INSERT, values)
    return True


def _list(
    connection: Connection, statement: sa.Select[Any], values: dict[str, Any]
) -> list[OutboxMessage]:
    return [OutboxMessage(*row) for row in connection.execute(statement, values)]


def _change(connection: Connection, message_id: str, changes: dict[str, Any]) -> None:
    connection.execute(_ONE.values(**changes), {"of_id": message_id})


def _backlog(connection: Connection, channel: str) -> Backlog:
    values = {"in_channel": channel}
    out, out_since = connection.execute(_COUNT, values).one()
    into, in_since = connection.execute(_COUNT_IN, values).one()
    failed = connection.execute(_COUNT_FAILED, values).scalar_one()
    since = [moment for moment in (out_since, in_since) if moment is not None]
    return Backlog(into, out, min(since, default=None), failed)


def _prune(connection: Connection, channel: str, before: datetime) -> int:
    statement = outbox.delete().where(
        outbox.c.channel == channel,
        outbox.c.state.in_([OutgoingState.SENT, OutgoingState.DROPPED]),
        outbox.c.created_at < before,
    )
    return connection.execute(statement).rowcount
