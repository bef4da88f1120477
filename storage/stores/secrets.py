"""Secrets of turns that have ended: replaced in every row that holds what was said and done."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.base.masking import Masker
from noctule.core.base.secrets import EndedTurn
from storage.base.transaction import Transaction
from storage.base.upsert import upsert
from storage.base.words import words_of
from storage.tables import (
    attempts,
    effects,
    events,
    grants,
    inbox,
    notes,
    outbox,
    parkings,
    questions,
    routes,
    secrets_replaced,
    sessions,
    steers,
    turns,
)
from storage.tables.notes import WORDS_INDEX
from storage.tables.turns import unfinished

_OF_TURN = (
    (steers, ("text",)),
    (questions, ("text", "choices", "subject", "answer")),
    (effects, ("arguments", "before", "result")),
    (parkings, ("reason", "tried")),
    (routes, ("reason",)),
    (attempts, ("message", "skipped")),
    (events, ("data",)),
    (outbox, ("body", "error")),
)
"""Tables with a ``turn_id``, and which of their columns hold what somebody wrote."""

_BEFORE = timedelta(days=1)
"""How long before a turn was submitted its message can have come in."""

_DUE = (
    sa.select(turns.c.id, turns.c.session_id, turns.c.ended_at)
    .outerjoin(secrets_replaced, secrets_replaced.c.turn_id == turns.c.id)
    .where(
        turns.c.ended_at.is_not(None),
        ~unfinished,
        sa.or_(
            secrets_replaced.c.ended_at.is_(None),
            secrets_replaced.c.ended_at != turns.c.ended_at,
        ),
    )
    .order_by(turns.c.ended_at, turns.c.id)
)
_DONE = upsert(secrets_replaced)
_BEGUN = sa.select(turns.c.id).where(
    unfinished, turns.c.session_id == sa.bindparam("session"), turns.c.started_at.is_not(None)
)


class SqlSecrets:
    """Secrets of turns that have ended."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def due(self, *, session_id: str | None = None, limit: int = 100) -> list[EndedTurn]:
        """Return turns whose secrets were not replaced since their end, the earliest first."""
        return await self._transaction.run_long(_due, session_id, limit)

    async def is_begun(self, session_id: str) -> bool:
        """Return whether a turn of a session has begun and not ended."""
        return await self._transaction.run(_is_begun, session_id)

    async def replace(self, ended: EndedTurn, masker: Masker) -> None:
        """Replace what a masker finds in all rows of a turn."""
        await self._transaction.run_long(_replace, ended, masker)

    async def done(self, ended: EndedTurn) -> None:
        """Note that nothing of a turn is left to be replaced."""
        await self._transaction.run(_done, ended)


def _due(connection: Connection, session_id: str | None, limit: int) -> list[EndedTurn]:
    statement = _DUE.limit(limit)
    if session_id is not None:
        statement = statement.where(turns.c.session_id == session_id)
    return [EndedTurn(*row) for row in connection.execute(statement)]


def _is_begun(connection: Connection, session_id: str) -> bool:
    return connection.execute(_BEGUN.limit(1), {"session": session_id}).first() is not None


def _done(connection: Connection, ended: EndedTurn) -> None:
    values = {"turn_id": ended.turn_id, "ended_at": ended.ended_at}
    connection.execute(_DONE[connection.dialect.name], values)


def _replace(connection: Connection, ended: EndedTurn, masker: Masker) -> None:
    turn = connection.execute(
        sa.select(turns.c.created_at, sessions.c.owner)
        .join(sessions, sessions.c.id == turns.c.session_id)
        .where(turns.c.id == ended.turn_id)
    ).first()
    if turn is None:
        return
    since, owner = turn
    _in_rows(connection, masker, turns, ("text", "reply", "error"), turns.c.id == ended.turn_id)
    of_session = sessions.c.id == ended.session_id
    _in_rows(connection, masker, sessions, ("title",), of_session)
    for table, columns in _OF_TURN:
        _in_rows(connection, masker, table, columns, table.c.turn_id == ended.turn_id)
    _in_rows(connection, masker, outbox, ("body", "error"), _mail_of(ended, since))
    handled = (inbox.c.handled_at.is_not(None), inbox.c.received_at >= since - _BEFORE)
    _in_rows(connection, masker, inbox, ("payload", "error"), sa.and_(*handled))
    _in_notes(connection, masker, owner, ended, since)
    _in_grants(connection, masker, owner, ended, since)


def _mail_of(ended: EndedTurn, since: datetime) -> sa.ColumnElement[bool]:
    """Match letters about the session that belong to no turn."""
    return sa.and_(
        outbox.c.session_id == ended.session_id,
        outbox.c.turn_id.is_(None),
        outbox.c.created_at >= since,
    )


def _in_rows(
    connection: Connection,
    masker: Masker,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: sa.ColumnElement[bool],
) -> None:
    keys = list(table.primary_key.columns)
    chosen = [table.c[name] for name in columns]
    for row in connection.execute(sa.select(*keys, *chosen).where(rows)).fetchall():
        before = dict(zip(columns, row[len(keys) :], strict=True))
        after = {name: masker.mask_json(value) for name, value in before.items()}
        changed = {name: value for name, value in after.items() if value != _plain(before[name])}
        if changed:
            this = [key == value for key, value in zip(keys, row, strict=False)]
            connection.execute(table.update().where(*this).values(**changed))


def _plain(value: Any) -> Any:
    """Return a stored value as a masker gives one back that it finds nothing in."""
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


def _in_notes(
    connection: Connection, masker: Masker, owner: str, ended: EndedTurn, since: datetime
) -> None:
    written = sa.or_(notes.c.session_id == ended.session_id, notes.c.written_at >= since)
    found = connection.execute(
        sa.select(notes.c.number, notes.c.title, notes.c.text).where(
            notes.c.owner == owner, written
        )
    ).fetchall()
    changed = False
    for number, title, text in found:
        after = masker.mask(title), masker.mask(text)
        if after == (title, text):
            continue
        changed = True
        this = notes.c.number == number
        words = " ".join(sorted({*words_of(after[0]), *words_of(after[1])}))
        alike = sa.select(notes.c.number).where(
            notes.c.owner == owner, notes.c.title == after[0], ~this
        )
        if connection.execute(alike).first() is not None:
            connection.execute(notes.delete().where(this))
            continue
        values = {"title": after[0], "text": after[1], "words": words}
        connection.execute(notes.update().where(this).values(**values))
    if changed and connection.dialect.name == "sqlite":
        # What was deleted from an index stays in its segments until they are made anew.
        rebuild = f"INSERT INTO {WORDS_INDEX}({WORDS_INDEX}) VALUES ('rebuild')"  # noqa: S608 - a constant
        connection.execute(sa.text(rebuild))


def _in_grants(
    connection: Connection, masker: Masker, owner: str, ended: EndedTurn, since: datetime
) -> None:
    """Drop what was allowed with a secret in it: with a placeholder it would mean another thing."""
    given = sa.or_(grants.c.session_id == ended.session_id, grants.c.granted_at >= since)
    rows = connection.execute(
        sa.select(grants.c.id, grants.c.rule).where(grants.c.owner == owner, given)
    )
    gone = [grant for grant, rule in rows.fetchall() if masker.mask(rule) != rule]
    if gone:
        connection.execute(grants.delete().where(grants.c.id.in_(gone)))
