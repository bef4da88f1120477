"""Where people talk through a messenger, what their chats watch, and who may."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from noctule.core.messaging.chats import Chat, Pairing, Person, Subscription
from storage.base.transaction import Transaction
from storage.tables import chats, outbox, pairings, persons, watches

_CHAT = sa.select(chats).where(
    chats.c.channel == sa.bindparam("in_channel"), chats.c.place == sa.bindparam("in_place")
)
_CHATS = (
    sa.select(chats).where(chats.c.channel == sa.bindparam("in_channel")).order_by(chats.c.place)
)
_WATCHES = (
    sa.select(watches)
    .where(watches.c.channel == sa.bindparam("in_channel"))
    .order_by(watches.c.session_id, watches.c.place)
)
_WATCHES_OF = _WATCHES.where(watches.c.place == sa.bindparam("in_place"))
_ONE_WATCH = (
    watches.c.channel == sa.bindparam("in_channel"),
    watches.c.place == sa.bindparam("in_place"),
    watches.c.session_id == sa.bindparam("of_session"),
)
_SAW = (
    watches.update()
    .where(*_ONE_WATCH, watches.c.seen_seq < sa.bindparam("seq"))
    .values(seen_seq=sa.bindparam("seq"))
)
_UNWATCH = watches.delete().where(*_ONE_WATCH)
_PERSONS = (
    sa.select(persons)
    .where(persons.c.channel == sa.bindparam("in_channel"))
    .order_by(persons.c.admitted_at, persons.c.person)
)
_PAIRINGS = (
    sa.select(pairings)
    .where(pairings.c.channel == sa.bindparam("in_channel"))
    .order_by(pairings.c.asked_at, pairings.c.person)
)
_DROP_PAIRING = pairings.delete().where(
    pairings.c.channel == sa.bindparam("in_channel"), pairings.c.person == sa.bindparam("of_person")
)


def _upsert(table: sa.Table, *, replace: bool) -> Mapping[str, Any]:
    keys = [column.name for column in table.primary_key]
    found = {}
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert)):
        statement = insert(table)
        rest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
        found[name] = (
            statement.on_conflict_do_update(index_elements=keys, set_=rest)
            if replace
            else statement.on_conflict_do_nothing(index_elements=keys)
        )
    return found


_PUT_CHAT = _upsert(chats, replace=True)
_PUT_WATCH = _upsert(watches, replace=True)
_PUT_PAIRING = _upsert(pairings, replace=True)
_ADMIT = _upsert(persons, replace=False)


class SqlChats:
    """Where people talk through a messenger, what their chats watch, and who may."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, chat: Chat) -> None:
        """Store or replace a chat."""
        values = _values(chats, chat) | {"settings": dict(chat.settings)}
        await self._transaction.run(_put, _PUT_CHAT, values)

    async def get(self, channel: str, place: str) -> Chat | None:
        """Return one chat; None when nobody ever talked there."""
        values = {"in_channel": channel, "in_place": place}
        rows = await self._transaction.run(_rows, _CHAT, values)
        return Chat(*rows[0]) if rows else None

    async def everywhere(self, channel: str) -> list[Chat]:
        """Return every chat of a messenger, in order of their places."""
        rows = await self._transaction.run(_rows, _CHATS, {"in_channel": channel})
        return [Chat(*row) for row in rows]

    async def move(self, channel: str, place: str, to: str) -> None:
        """Rename a place (a group became a supergroup), with its watches and waiting mail."""
        await self._transaction.run(_move, channel, place, to)

    async def watch(self, watch: Subscription) -> None:
        """Store or replace a watch."""
        await self._transaction.run(_put, _PUT_WATCH, _values(watches, watch))

    async def watches(self, channel: str, *, place: str | None = None) -> list[Subscription]:
        """Return the watches of a messenger or of one place; in order of session."""
        values = {"in_channel": channel}
        if place is None:
            rows = await self._transaction.run(_rows, _WATCHES, values)
        else:
            rows = await self._transaction.run(_rows, _WATCHES_OF, values | {"in_place": place})
        return [Subscription(*row) for row in rows]

    async def saw(self, channel: str, place: str, session_id: str, seq: int) -> None:
        """Note the last event that was told; an earlier one changes nothing."""
        values = {"in_channel": channel, "in_place": place, "of_session": session_id, "seq": seq}
        await self._transaction.run(_execute, _SAW, values)

    async def unwatch(self, channel: str, place: str, session_id: str) -> None:
        """Forget a watch."""
        values = {"in_channel": channel, "in_place": place, "of_session": session_id}
        await self._transaction.run(_execute, _UNWATCH, values)

    async def admit(self, person: Person) -> None:
        """Store somebody who may talk; one who already may stays as they are."""
        await self._transaction.run(_put, _ADMIT, _values(persons, person))

    async def persons(self, channel: str) -> list[Person]:
        """Return everybody admitted, in order of admission."""
        rows = await self._transaction.run(_rows, _PERSONS, {"in_channel": channel})
        return [Person(*row) for row in rows]

    async def put_pairing(self, pairing: Pairing) -> None:
        """Store or replace the pairing of a stranger."""
        await self._transaction.run(_put, _PUT_PAIRING, _values(pairings, pairing))

    async def pairings(self, channel: str) -> list[Pairing]:
        """Return every pairing, expired ones included, oldest first."""
        rows = await self._transaction.run(_rows, _PAIRINGS, {"in_channel": channel})
        return [Pairing(*row) for row in rows]

    async def drop_pairing(self, channel: str, person: str) -> None:
        """Forget a stranger's pairing."""
        values = {"in_channel": channel, "of_person": person}
        await self._transaction.run(_execute, _DROP_PAIRING, values)


def _values(table: sa.Table, record: object) -> dict[str, Any]:
    return {c.key: getattr(record, c.key) for c in table.columns}


def _put(connection: Connection, statement: Mapping[str, Any], values: dict[str, Any]) -> None:
    connection.execute(statement[connection.dialect.name], values)


def _rows(
    connection: Connection, statement: sa.Select[Any], values: dict[str, Any]
) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(statement, values)]


def _execute(connection: Connection, statement: Any, values: dict[str, Any]) -> None:
    connection.execute(statement, values)


def _move(connection: Connection, channel: str, place: str, to: str) -> None:
    there = connection.execute(_CHAT, {"in_channel": channel, "in_place": to}).first()
    for table in (chats, watches, outbox):
        here = sa.and_(table.c.channel == channel, table.c.place == place)
        if table is chats and there is not None:
            connection.execute(table.delete().where(here))
        else:
            connection.execute(table.update().where(here).values(place=to))
