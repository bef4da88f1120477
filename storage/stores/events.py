"""What watchers of a session see."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from noctule.core.llm.events import Event, EventKind
from storage.base.transaction import Transaction
from storage.tables import event_heads, events


def _take_numbers(insert: Any) -> Any:
    taken = event_heads.c.last_seq + insert.excluded.last_seq
    return insert.on_conflict_do_update(
        index_elements=[event_heads.c.session_id], set_={"last_seq": taken}
    ).returning(event_heads.c.last_seq)


# Counting locks the session's head until the transaction ends, so that two writers of one
# session follow each other and a rolled back one leaves no gap.
_TAKE_NUMBERS = {
    "sqlite": _take_numbers(sqlite.insert(event_heads)),
    "postgresql": _take_numbers(postgresql.insert(event_heads)),
}
_INSERT = events.insert()
_AFTER = (
    sa.select(events)
    .where(
        events.c.session_id == sa.bindparam("session_id"), events.c.seq > sa.bindparam("after_seq")
    )
    .order_by(events.c.seq)
    .limit(sa.bindparam("at_most"))
)
_OF_TURN = (
    sa.select(events)
    .where(
        events.c.turn_id == sa.bindparam("of_turn"),
        events.c.kind.in_(sa.bindparam("kinds", expanding=True)),
    )
    .order_by(events.c.seq)
)
_LAST_SEQ = sa.select(event_heads.c.last_seq).where(
    event_heads.c.session_id == sa.bindparam("session_id")
)
_LAST_SEQS = sa.select(event_heads).where(
    event_heads.c.session_id.in_(sa.bindparam("session_ids", expanding=True))
)
_AT_ONCE = 500
_PRUNE = events.delete().where(
    events.c.turn_id == sa.bindparam("turn_id"), events.c.kind == EventKind.DELTA
)


class SqlEvents:
    """What watchers of a session see."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def append(
        self,
        session_id: str,
        turn_id: str,
        items: Sequence[tuple[EventKind, Mapping[str, Any]]],
        *,
        at: datetime,
    ) -> list[Event]:
        """Store events in order and return them with their sequence numbers."""
        if not items:
            return []
        return await self._transaction.run(_append, session_id, turn_id, items, at)

    async def after(self, session_id: str, seq: int, *, limit: int = 500) -> list[Event]:
        """Return the events with a greater sequence number, in order; 0 means from the start."""
        return await self._transaction.run(_after, session_id, seq, limit)

    async def of_turn(self, turn_id: str, kinds: Sequence[EventKind]) -> list[Event]:
        """Return the events of a turn that are of some kinds, in order."""
        return await self._transaction.run(_of_turn, turn_id, kinds)

    async def last_seq(self, session_id: str) -> int:
        """Return the highest sequence number given out so far; 0 when there is no event."""
        return await self._transaction.run(_last_seq, session_id)

    async def last_seqs(self, session_ids: Sequence[str]) -> Mapping[str, int]:
        """Return the highest numbers of several sessions; those without an event are missing."""
        return await self._transaction.run(_last_seqs, session_ids)

    async def prune_deltas(self, turn_id: str) -> None:
        """Drop the text deltas of a turn whose reply is stored."""
        await self._transaction.run(_prune, turn_id)


def _append(
    connection: Connection,
    session_id: str,
    turn_id: str,
    items: Sequence[tuple[EventKind, Mapping[str, Any]]],
    at: datetime,
) -> list[Event]:
    numbers = {"session_id": session_id, "last_seq": len(items)}
    last = connection.execute(_TAKE_NUMBERS[connection.dialect.name], numbers).scalar_one()
    first = last - len(items) + 1
    rows: list[dict[str, Any]] = [
        {
            "session_id": session_id,
            "seq": seq,
            "turn_id": turn_id,
            "kind": kind,
            "data": dict(data),
            "at": at,
        }
        for seq, (kind, data) in enumerate(items, first)
    ]
    connection.execute(_INSERT, rows)
    return [Event(**row) for row in rows]


def _after(connection: Connection, session_id: str, seq: int, limit: int) -> list[Event]:
    values = {"session_id": session_id, "after_seq": seq, "at_most": limit}
    return [Event(*row) for row in connection.execute(_AFTER, values)]


def _of_turn(connection: Connection, turn_id: str, kinds: Sequence[EventKind]) -> list[Event]:
    values = {"of_turn": turn_id, "kinds": list(kinds)}
    return [Event(*row) for row in connection.execute(_OF_TURN, values)]


def _last_seq(connection: Connection, session_id: str) -> int:
    return connection.execute(_LAST_SEQ, {"session_id": session_id}).scalar_one_or_none() or 0


def _last_seqs(connection: Connection, session_ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(session_ids), _AT_ONCE):
        some = {"session_ids": list(session_ids[start : start + _AT_ONCE])}
        found.update((row[0], row[1]) for row in connection.execute(_LAST_SEQS, some))
    return found


def _prune(connection: Connection, turn_id: str) -> None:
    connection.execute(_PRUNE, {"turn_id": turn_id})
