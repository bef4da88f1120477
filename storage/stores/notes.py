"""What agents remember for a person."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from noctule.core.tools.notes import Note
from storage.base.transaction import Transaction
from storage.base.words import closeness, words_of
from storage.tables import notes
from storage.tables.notes import WORDS_INDEX

_WRITTEN = ("text", "written_at", "session_id", "words", "private")
_FIELDS = (
    notes.c.id,
    notes.c.owner,
    notes.c.title,
    notes.c.text,
    notes.c.written_at,
    notes.c.session_id,
    notes.c.private,
)
_WEIGHED: Final = 200
"""How many of the database's best are put in order by ``storage.base.words.closeness``."""


def _replacing(insert: Any) -> Any:
    values = {name: insert.excluded[name] for name in _WRITTEN}
    return insert.on_conflict_do_update(index_elements=[notes.c.owner, notes.c.title], set_=values)


_PUT = {
    "sqlite": _replacing(sqlite.insert(notes)),
    "postgresql": _replacing(postgresql.insert(notes)),
}
_ONE = (notes.c.owner == sa.bindparam("of_owner"), notes.c.title == sa.bindparam("named"))
_GET = sa.select(*_FIELDS).where(*_ONE)
_DROP = notes.delete().where(*_ONE)
_OF_OWNER = sa.select(*_FIELDS).where(
    notes.c.owner == sa.bindparam("of_owner"),
    sa.or_(sa.not_(notes.c.private), sa.bindparam("private_too", type_=sa.Boolean)),
)
_NEWEST = _OF_OWNER.order_by(notes.c.written_at.desc(), notes.c.id.desc()).limit(
    sa.bindparam("at_most")
)

_FTS5 = sa.table(WORDS_INDEX, sa.column("rowid"), sa.column("rank"), sa.column(WORDS_INDEX))
_VECTOR = sa.func.to_tsvector(sa.literal_column("'simple'"), notes.c.words)
_TSQUERY = sa.func.to_tsquery(sa.literal_column("'simple'"), sa.bindparam("wanted"))
_HOLDING = {
    "sqlite": _OF_OWNER.join(_FTS5, _FTS5.c.rowid == notes.c.number)
    .where(_FTS5.c[WORDS_INDEX].op("MATCH")(sa.bindparam("wanted")))
    .order_by(_FTS5.c.rank)
    .limit(_WEIGHED),
    "postgresql": _OF_OWNER.where(_VECTOR.op("@@")(_TSQUERY))
    .order_by(sa.func.ts_rank(_VECTOR, _TSQUERY, 1).desc())
    .limit(_WEIGHED),
}


class SqlNotes:
    """What agents remember for a person."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, note: Note) -> None:
        """Store a note; one of the same owner and title gets the new text and keeps its id."""
        await self._transaction.run_long(_put, note)

    async def search(
        self, owner: str, words: str, *, limit: int = 10, private: bool = True
    ) -> list[Note]:
        """Return the notes of an owner that hold all the words, the best first.

        Args:
            owner: whose.
            words: beginnings of words; without any the newest are returned.
            limit: how many at most.
            private: whether those of private sessions are looked through, too.
        """
        wanted = words_of(words)
        if words.strip() and not wanted:
            return []
        if not wanted:
            return await self._transaction.run(_newest, owner, limit, private)
        found = await self._transaction.run_long(_holding, owner, wanted, private)
        return found[:limit]

    async def get(self, owner: str, title: str) -> Note | None:
        """Return one note by its exact title; None when there is none."""
        return await self._transaction.run(_get, owner, title)

    async def drop(self, owner: str, title: str) -> bool:
        """Forget a note; return whether there was one."""
        return await self._transaction.run(_drop, owner, title)


def _put(connection: Connection, note: Note) -> None:
    values = {column.name: getattr(note, column.name) for column in _FIELDS}
    # Each once: how often a word occurs is counted in the text itself.
    values["words"] = " ".join(sorted({*words_of(note.title), *words_of(note.text)}))
    connection.execute(_PUT[connection.dialect.name], values)


def _newest(
    connection: Connection,
    owner: str,
    limit: int,
    private: bool,  # noqa: FBT001 - a transaction passes on what it gets by place
) -> list[Note]:
    values = {"of_owner": owner, "at_most": limit, "private_too": private}
    rows = connection.execute(_NEWEST, values)
    return [Note(*row) for row in rows]


def _holding(
    connection: Connection,
    owner: str,
    wanted: Sequence[str],
    private: bool,  # noqa: FBT001 - as above
) -> list[Note]:
    dialect = connection.dialect.name
    if dialect == "sqlite":
        query = " ".join(f'"{word}"*' for word in wanted)
    else:
        query = " & ".join(f"'{word}':*" for word in wanted)
    values = {"of_owner": owner, "wanted": query, "private_too": private}
    rows = connection.execute(_HOLDING[dialect], values)
    return best_first([Note(*row) for row in rows], wanted)


def best_first(found: Sequence[Note], wanted: Sequence[str]) -> list[Note]:
    """Return notes in the order of how well they fit, and of those alike the newest first."""
    newest = sorted(found, key=lambda note: (note.written_at, note.id), reverse=True)
    return sorted(newest, key=lambda note: -closeness(note.title, note.text, wanted))


def _get(connection: Connection, owner: str, title: str) -> Note | None:
    row = connection.execute(_GET, {"of_owner": owner, "named": title}).first()
    return None if row is None else Note(*row)


def _drop(connection: Connection, owner: str, title: str) -> bool:
    return connection.execute(_DROP, {"of_owner": owner, "named": title}).rowcount > 0
