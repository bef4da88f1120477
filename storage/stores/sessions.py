"""Conversations and tasks."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.sessions.sessions import LAST_SESSION, Session
from storage.base.transaction import Transaction
from storage.base.typed_ids import ByTypedId
from storage.tables import metadata, sessions, turns

_INSERT = sessions.insert()
_UPDATE = sessions.update().where(sessions.c.id == sa.bindparam("session_id"))
_SET_TITLE = _UPDATE.values(title=sa.bindparam("title"))
_SET_CHAT_MODEL = _UPDATE.values(chat_model=sa.bindparam("model"))
_SET_BUDGET = _UPDATE.values(budget_usd=sa.bindparam("usd", type_=sessions.c.budget_usd.type))
_MARK_OUTSIDE = _UPDATE.values(
    outside_since=sa.func.coalesce(
        sessions.c.outside_since, sa.bindparam("at", type_=sessions.c.outside_since.type)
    )
)
_MARK_PRIVATE = _UPDATE.values(
    private_since=sa.func.coalesce(
        sessions.c.private_since, sa.bindparam("at", type_=sessions.c.private_since.type)
    )
)
_NEWEST_FIRST = sa.select(sessions).order_by(sessions.c.id.desc())
_OUTLIVING = frozenset({"chats"})
"""Tables whose rows only point at the session they are in now."""

_BY_TYPED_ID = ByTypedId(sessions, what="session", listing="noctule sessions")


class SqlSessions:
    """Conversations and tasks."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, session: Session) -> None:
        """Store a new session."""
        await self._transaction.run(_add, session)

    async def get(self, session_id: str) -> Session:
        """Return one session, by a unique beginning or end of its id; ``last`` is the newest."""
        return await self._transaction.run(_get, session_id)

    async def list(self, *, owner: str | None = None, limit: int | None = None) -> list[Session]:
        """Return sessions, newest first; None means of everybody, and all."""
        return await self._transaction.run_long(_list, owner, limit)

    async def set_title(self, session_id: str, title: str) -> None:
        """Give it a title."""
        await self._transaction.run(_set, _SET_TITLE, session_id, {"title": title})

    async def set_chat_model(self, session_id: str, model: str | None) -> None:
        """Remember which model the chat role keeps; None forgets it."""
        await self._transaction.run(_set, _SET_CHAT_MODEL, session_id, {"model": model})

    async def set_budget(self, session_id: str, usd: Decimal | None) -> None:
        """Bound what it may spend in all, in USD; None takes the bound away."""
        await self._transaction.run(_set, _SET_BUDGET, session_id, {"usd": usd})

    async def remove(self, session_id: str) -> None:
        """Delete a session with everything that was said and done in it; the ledger stays."""
        await self._transaction.run_long(_remove, session_id)

    async def mark_outside(self, session_id: str, at: datetime) -> None:
        """Note when it first read text that somebody else wrote; a later mark changes nothing."""
        await self._transaction.run(_set, _MARK_OUTSIDE, session_id, {"at": at})

    async def mark_private(self, session_id: str, at: datetime) -> None:
        """Note when it first read what is its person's alone; a later mark changes nothing."""
        await self._transaction.run(_set, _MARK_PRIVATE, session_id, {"at": at})


def _add(connection: Connection, session: Session) -> None:
    connection.execute(_INSERT, {c.key: getattr(session, c.key) for c in sessions.columns})


def _get(connection: Connection, session_id: str) -> Session:
    if session_id == LAST_SESSION:
        newest = connection.execute(_NEWEST_FIRST.limit(1)).first()
        if newest is not None:
            return Session(*tuple(newest))
    return Session(*tuple(_BY_TYPED_ID.find(connection, session_id)))


def _list(connection: Connection, owner: str | None, limit: int | None) -> list[Session]:
    statement = _NEWEST_FIRST.limit(limit)
    if owner is not None:
        statement = statement.where(sessions.c.owner == owner)
    return [Session(*row) for row in connection.execute(statement)]


def _set(
    connection: Connection, statement: sa.Update, session_id: str, values: dict[str, Any]
) -> None:
    if not connection.execute(statement, {"session_id": session_id, **values}).rowcount:
        raise _BY_TYPED_ID.missing(session_id)


def _remove(connection: Connection, session_id: str) -> None:
    """Delete or let go of every row that refers to the session or one of its turns."""
    its_turns = sa.select(turns.c.id).where(turns.c.session_id == session_id).scalar_subquery()
    for table in reversed(metadata.sorted_tables):
        for column in table.columns:
            if column.references(sessions.c.id):
                rows = column == session_id
            elif column.references(turns.c.id):
                rows = column.in_(its_turns)
            else:
                continue
            if column.nullable and table.name in _OUTLIVING:
                connection.execute(table.update().where(rows).values({column: None}))
            else:
                connection.execute(table.delete().where(rows))
    if not connection.execute(sessions.delete().where(sessions.c.id == session_id)).rowcount:
        raise _BY_TYPED_ID.missing(session_id)
