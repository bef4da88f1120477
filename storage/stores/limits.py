"""What is refused until when."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.llm.limits import Limit, LimitKey
from storage.base.transaction import Transaction
from storage.base.upsert import upsert
from storage.tables import limits
from storage.tables.limits import WHOLE_KEY

_PUT = upsert(limits)
_SELECT = sa.select(limits)
_CLEAR_ALL = limits.delete()
_CLEAR = _CLEAR_ALL.where(
    limits.c.endpoint == sa.bindparam("endpoint"),
    limits.c.key_fingerprint == sa.bindparam("key_fingerprint"),
    limits.c.model == sa.bindparam("model"),
)


class SqlLimits:
    """What is refused until when."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, limit: Limit) -> None:
        """Store or replace the limit of its key."""
        await self._transaction.run(_put, limit)

    async def list(self) -> list[Limit]:
        """Return every stored limit, past ones included, in order of endpoint and model."""
        return await self._transaction.run(_list)

    async def clear(self, key: LimitKey | None = None) -> int:
        """Forget one limit, or with None all of them; return how many there were."""
        return await self._transaction.run(_clear, key)


def stored_model(key: LimitKey) -> str:
    """Return the model of a key as a column holds it."""
    return WHOLE_KEY if key.model is None else key.model


def _key_columns(key: LimitKey) -> dict[str, str]:
    return {
        "endpoint": key.endpoint,
        "key_fingerprint": key.key_fingerprint,
        "model": stored_model(key),
    }


def _put(connection: Connection, limit: Limit) -> None:
    values = _key_columns(limit.key) | {
        "outcome": limit.outcome,
        "reason": limit.reason,
        "not_before": limit.not_before,
        "evidence": limit.evidence,
        "set_at": limit.set_at,
        "windows": limit.windows,
        "guesses": limit.guesses,
        "since": limit.since,
        "left_alone_until": limit.left_alone_until,
    }
    connection.execute(_PUT[connection.dialect.name], values)


def _list(connection: Connection) -> list[Limit]:
    # Sorted here: the two databases would order names by different alphabets.
    found = [_limit(row) for row in connection.execute(_SELECT)]
    return sorted(found, key=lambda limit: tuple(_key_columns(limit.key).values()))


def _clear(connection: Connection, key: LimitKey | None) -> int:
    if key is None:
        return connection.execute(_CLEAR_ALL).rowcount
    return connection.execute(_CLEAR, _key_columns(key)).rowcount


def _limit(row: sa.Row[Any]) -> Limit:
    return Limit(
        key=LimitKey(row.endpoint, row.key_fingerprint, row.model or None),
        outcome=row.outcome,
        reason=row.reason,
        not_before=row.not_before,
        evidence=row.evidence,
        set_at=row.set_at,
        windows=row.windows,
        guesses=row.guesses,
        since=row.since,
        left_alone_until=row.left_alone_until,
    )
