"""The routing log and the ledger."""

from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from noctule.core.errors import OurBugError
from noctule.core.llm.attempts import Attempt, SkippedModel, Usage
from noctule.core.llm.token_parts import TokenParts
from storage.base.transaction import Transaction
from storage.tables import attempts

# Written again when the answer to a commit was lost: an id is one attempt, whoever writes it.
_INSERT = {
    "sqlite": sqlite.insert(attempts).on_conflict_do_nothing().returning(attempts.c.id),
    "postgresql": postgresql.insert(attempts).on_conflict_do_nothing().returning(attempts.c.id),
}
_CALL = sa.select(attempts.c.call_id).where(attempts.c.id == sa.bindparam("of"))
_NEWEST_FIRST = sa.select(attempts).order_by(attempts.c.id.desc())
_SHORT = 200
_COLUMNS = tuple(column.name for column in attempts.columns)
_TOKENS = tuple(f.name for f in fields(Usage) if f.name.endswith("_tokens"))
_PARTS_TOKENS = tuple(f.name for f in fields(TokenParts))
_MAPPED = {*_TOKENS, *_PARTS_TOKENS, "reported_nano_usd", "cost_nano_usd", "skipped"}
_USAGE = _COLUMNS.index("input_tokens")
_COST = _COLUMNS.index("cost_nano_usd")
_SKIPPED = _COLUMNS.index("skipped")
_PARTS = _COLUMNS.index(_PARTS_TOKENS[0])
_PLAIN = tuple(name for name in _COLUMNS if name not in _MAPPED)


class SqlAttempts:
    """The ledger."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, attempt: Attempt) -> None:
        """Write one attempt; the same one again does nothing."""
        await self._transaction.run(_add, attempt)

    async def list(
        self,
        *,
        session_id: str | None = None,
        turn_id: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Attempt]:
        """Return attempts, newest first; None means no such restriction, and all of them."""
        statement = _NEWEST_FIRST.limit(limit)
        if session_id is not None:
            statement = statement.where(attempts.c.session_id == session_id)
        if turn_id is not None:
            statement = statement.where(attempts.c.turn_id == turn_id)
        if since is not None:
            statement = statement.where(attempts.c.started_at >= since)
        if turn_id is not None or (limit is not None and limit <= _SHORT):
            return await self._transaction.run(_list, statement)
        return await self._transaction.run_long(_list, statement)


def _add(connection: Connection, attempt: Attempt) -> None:
    usage = attempt.usage
    values = {name: getattr(attempt, name) for name in _PLAIN}
    values |= {name: getattr(usage, name) for name in _TOKENS}
    values["reported_nano_usd"] = usage.reported_usd
    values["cost_nano_usd"] = attempt.cost_usd
    values |= {name: getattr(attempt.parts, name, None) for name in _PARTS_TOKENS}
    values["skipped"] = [[skip.model, skip.reason] for skip in attempt.skipped]
    if connection.execute(_INSERT[connection.dialect.name], values).first() is None:
        known = connection.execute(_CALL, {"of": attempt.id}).scalar_one()
        if known != attempt.call_id:
            raise OurBugError(
                f"There is an attempt {attempt.id!r} already, of another call. Please report this."
            )


def _list(connection: Connection, statement: sa.Select[Any]) -> list[Attempt]:
    return [_attempt(tuple(row)) for row in connection.execute(statement)]


def _attempt(row: tuple[Any, ...]) -> Attempt:
    # By position: a ledger is listed whole, and a third of the time went into names.
    values: tuple[Any, ...] = (
        *row[:_USAGE],
        Usage(*row[_USAGE:_COST]),
        *row[_COST:_SKIPPED],
        tuple(SkippedModel(model, reason) for model, reason in row[_SKIPPED]),
        *row[_SKIPPED + 1 : _PARTS],
        None if row[_PARTS] is None else TokenParts(*row[_PARTS:]),
    )
    return Attempt(*values)
