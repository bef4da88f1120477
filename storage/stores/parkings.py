"""Turns asleep."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.llm.limits import LimitKey
from noctule.core.sessions.parkings import Parking
from storage.base.transaction import Transaction
from storage.stores.limits import stored_model
from storage.tables import parkings
from storage.tables.parkings import asleep

_INSERT = parkings.insert()
_OPEN = sa.select(parkings).where(asleep).order_by(parkings.c.id)
_OPEN_OF_TURN = _OPEN.where(parkings.c.turn_id == sa.bindparam("turn_id"))
_OPEN_ON = _OPEN.where(
    parkings.c.key_endpoint == sa.bindparam("endpoint"),
    parkings.c.key_fingerprint == sa.bindparam("fingerprint"),
    parkings.c.key_model == sa.bindparam("limited"),
)
_DUE = (
    sa.select(parkings)
    .where(asleep, parkings.c.wake_at <= sa.bindparam("now"))
    .order_by(parkings.c.wake_at, parkings.c.id)
)
_UPDATE = parkings.update().where(asleep)
_ONE = _UPDATE.where(parkings.c.id == sa.bindparam("parking_id"))
_RESCHEDULE = _ONE.values(wake_at=sa.bindparam("at"))
_CLOSE = _ONE.values(woken_at=sa.bindparam("at"))
_CLOSE_TURN = _UPDATE.where(parkings.c.turn_id == sa.bindparam("of_turn")).values(
    woken_at=sa.bindparam("at")
)
_LINE_UP = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('noctule line ' || :line, 0))")
_KEY = ("key_endpoint", "key_fingerprint", "key_model")
_PLAIN = tuple(c.name for c in parkings.columns if c.name not in {*_KEY, "tried"})


class SqlParkings:
    """Turns asleep; a parking is open until it is closed."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, parking: Parking) -> None:
        """Store a new parking."""
        await self._transaction.run(_add, parking)

    async def open_of_turn(self, turn_id: str) -> list[Parking]:
        """Return the open parkings of a turn, oldest first."""
        return await self._transaction.run(_list, _OPEN_OF_TURN, {"turn_id": turn_id})

    async def due(self, now: datetime) -> list[Parking]:
        """Return the open parkings whose wake time has come, earliest wake time first."""
        return await self._transaction.run_long(_list, _DUE, {"now": now})

    async def open_on(self, key: LimitKey) -> list[Parking]:
        """Return the open parkings that wait for exactly this limit, oldest first."""
        values = {
            "endpoint": key.endpoint,
            "fingerprint": key.key_fingerprint,
            "limited": stored_model(key),
        }
        return await self._transaction.run_long(_list, _OPEN_ON, values)

    async def line_up(self, keys: Iterable[LimitKey]) -> None:
        """Wait until nobody else moves the sleepers of some limits, till the transaction ends."""
        lines = sorted({_line(key) for key in keys})
        if lines:
            await self._transaction.run(_line_up, lines)

    async def all_open(self) -> list[Parking]:
        """Return every open parking, oldest first."""
        return await self._transaction.run_long(_list, _OPEN, {})

    async def reschedule(self, parking_ids: Sequence[str], wake_at: datetime | None) -> None:
        """Move the wake time of open parkings; None means only a person wakes them."""
        await self._transaction.run_long(_each, _RESCHEDULE, parking_ids, wake_at)

    async def close(self, parking_ids: Sequence[str], *, woken_at: datetime) -> None:
        """Close parkings; those closed before keep their time."""
        await self._transaction.run_long(_each, _CLOSE, parking_ids, woken_at)

    async def close_turn(self, turn_id: str, *, woken_at: datetime) -> None:
        """Close every open parking of a turn."""
        await self._transaction.run(_close_turn, turn_id, woken_at)


def _line(key: LimitKey) -> str:
    return "\n".join((key.endpoint, key.key_fingerprint, key.model or ""))


def _line_up(connection: Connection, lines: Sequence[str]) -> None:
    if connection.dialect.name != "postgresql":
        return  # who writes is alone
    for line in lines:  # in order: two transactions never wait for one another
        connection.execute(_LINE_UP, {"line": line})


def _add(connection: Connection, parking: Parking) -> None:
    values: dict[str, Any] = {name: getattr(parking, name) for name in _PLAIN}
    key = parking.key
    values["key_endpoint"] = None if key is None else key.endpoint
    values["key_fingerprint"] = None if key is None else key.key_fingerprint
    values["key_model"] = None if key is None else stored_model(key)
    values["tried"] = list(parking.tried)
    connection.execute(_INSERT, values)


def _list(
    connection: Connection, statement: sa.Select[Any], values: dict[str, Any]
) -> list[Parking]:
    return [_parking(row) for row in connection.execute(statement, values)]


def _each(
    connection: Connection,
    statement: sa.Update,
    parking_ids: Sequence[str],
    at: datetime | None,
) -> None:
    if parking_ids:
        connection.execute(statement, [{"parking_id": name, "at": at} for name in parking_ids])


def _close_turn(connection: Connection, turn_id: str, woken_at: datetime) -> None:
    connection.execute(_CLOSE_TURN, {"of_turn": turn_id, "at": woken_at})


def _parking(row: sa.Row[Any]) -> Parking:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    endpoint, fingerprint, model = (values.pop(name) for name in _KEY)
    key = None if endpoint is None else LimitKey(endpoint, fingerprint, model or None)
    tried = tuple(values.pop("tried"))
    return Parking(**values, key=key, tried=tried)
