"""What people said, and how far it has come."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.reports.answer_cost import RatedTurn
from noctule.core.sessions.lifecycle import Status, check_move
from noctule.core.sessions.sessions import Order, Rating, Turn
from storage.base.transaction import Transaction
from storage.base.typed_ids import ByTypedId
from storage.tables import sessions, turns
from storage.tables.turns import FINISHED, unfinished

_INSERT = turns.insert()
_BY_TYPED_ID = ByTypedId(turns, what="turn", listing="noctule sessions show")
_SELECT = sa.select(turns)
_OF_SESSION = _SELECT.where(turns.c.session_id == sa.bindparam("session_id")).order_by(turns.c.id)
_BY_ORIGIN = _SELECT.where(turns.c.origin == sa.bindparam("from_message"))
_OLDEST_UNFINISHED = _OF_SESSION.where(unfinished).limit(1)
_UNFINISHED = _SELECT.where(unfinished).order_by(turns.c.id)
_COUNT_UNFINISHED = sa.select(sa.func.count()).select_from(turns).where(unfinished)
_RUNNING = _UNFINISHED.where(turns.c.status == Status.RUNNING)
_earlier = turns.alias("earlier")
_FIRST = ~sa.exists().where(
    _earlier.c.session_id == turns.c.session_id,
    _earlier.c.id < turns.c.id,
    _earlier.c.status.not_in(FINISHED),
)
_DUE_AT_ONCE = _UNFINISHED.where(turns.c.status == Status.QUEUED, turns.c.wake_at.is_(None), _FIRST)
_DUE_BY_TIME = _UNFINISHED.where(
    turns.c.status.in_([Status.QUEUED, Status.PARKED, Status.WAITING]),
    turns.c.wake_at <= sa.bindparam("now"),
    _FIRST,
)
_STANDINGS = sa.select(turns.c.id, turns.c.status, turns.c.verdict)
_ORDERS = sa.select(turns.c.id, turns.c.order).where(
    turns.c.id.in_(sa.bindparam("turn_ids", expanding=True)), turns.c.order.is_not(None)
)
_AT_ONCE = 500
_NEWEST_FINISHED = (
    _SELECT.where(turns.c.ended_at.is_not(None), turns.c.reply.is_not(None))
    .order_by(turns.c.ended_at.desc(), turns.c.id.desc())
    .limit(1)
)
_NEWEST_FINISHED_OF = _NEWEST_FINISHED.join(sessions, sessions.c.id == turns.c.session_id).where(
    sessions.c.owner == sa.bindparam("owner")
)
_LOCK = _SELECT.where(turns.c.id == sa.bindparam("turn_id")).with_for_update()
_UPDATE = turns.update().where(turns.c.id == sa.bindparam("turn_id"))
_MOVE = _UPDATE.values(
    status=sa.bindparam("to_status"),
    started_at=sa.bindparam("began_at"),
    ended_at=sa.bindparam("finished_at"),
    reply=sa.bindparam("answer"),
    error=sa.bindparam("sentence"),
    wake_at=sa.bindparam("wakes_at"),
).returning(*turns.c)
_ORDER = _UPDATE.values(order=sa.bindparam("wanted"))
_REWORD = _UPDATE.where(turns.c.status == Status.QUEUED, turns.c.started_at.is_(None)).values(
    text=sa.bindparam("words")
)
_CHOOSE_MODEL = _UPDATE.values(model=sa.bindparam("chosen"))
_WAKE_AT = _UPDATE.values(wake_at=sa.bindparam("wakes_at"))
_RATE = _UPDATE.values(verdict=sa.bindparam("opinion"))


class SqlTurns:
    """What people said, and how far it has come."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, turn: Turn) -> None:
        """Store a new turn."""
        await self._transaction.run(_add, turn)

    async def get(self, turn_id: str) -> Turn:
        """Return one turn; a unique beginning or end of its id is enough."""
        return await self._transaction.run(_get, turn_id)

    async def by_origin(self, origin: str) -> Turn | None:
        """Return the turn a message of a messenger became; None when it became none."""
        return await self._transaction.run(_first, _BY_ORIGIN, {"from_message": origin})

    async def of_session(self, session_id: str) -> list[Turn]:
        """Return the turns of a session, oldest first."""
        return await self._transaction.run(_all, _OF_SESSION, {"session_id": session_id})

    async def oldest_unfinished(self, session_id: str) -> Turn | None:
        """Return the turn whose turn it is; None when all are finished."""
        return await self._transaction.run(_first, _OLDEST_UNFINISHED, {"session_id": session_id})

    async def unfinished(self) -> list[Turn]:
        """Return every unfinished turn of every session, oldest first."""
        return await self._transaction.run_long(_all, _UNFINISHED, {})

    async def running(self) -> list[Turn]:
        """Return every running turn of every session, oldest first."""
        return await self._transaction.run(_all, _RUNNING, {})

    async def due(self, now: datetime) -> list[Turn]:
        """Return queued, parked and waiting turns whose turn it is, oldest first."""
        return await self._transaction.run_long(_due, now)

    async def standings(self) -> Mapping[str, RatedTurn]:
        """Return how far every turn has come and what its person thought of it, by id."""
        return await self._transaction.run_long(_standings)

    async def count_unfinished(self) -> int:
        """Return how many turns are unfinished, of all sessions together."""
        return await self._transaction.run(_count)

    async def reword(self, turn_id: str, text: str) -> bool:
        """Change what was said while nobody has read it; return False when it has begun."""
        return await self._transaction.run(_reword, turn_id, text)

    async def choose_model(self, turn_id: str, model: str | None) -> None:
        """Force a model on a turn that has not ended; None takes it back."""
        await self._transaction.run(_set, _CHOOSE_MODEL, turn_id, {"chosen": model})

    async def wake_at(self, turn_id: str, wake_at: datetime | None) -> None:
        """Move the time at which a resting turn may go on."""
        await self._transaction.run(_set, _WAKE_AT, turn_id, {"wakes_at": wake_at})

    async def orders(self, turn_ids: Sequence[str]) -> Mapping[str, Order]:
        """Return what people ordered for some turns; turns without an order are missing."""
        return await self._transaction.run(_orders, turn_ids)

    async def newest_finished(self, *, owner: str | None = None) -> Turn | None:
        """Return the last turn that got a reply; None when there is none."""
        if owner is None:
            return await self._transaction.run(_first, _NEWEST_FINISHED, {})
        return await self._transaction.run(_first, _NEWEST_FINISHED_OF, {"owner": owner})

    async def move(
        self,
        turn_id: str,
        status: Status,
        *,
        at: datetime,
        reply: str | None = None,
        error: str | None = None,
        wake_at: datetime | None = None,
    ) -> Turn:
        """Move a turn to a status in one atomic step and return it as it now is."""
        changes = {"answer": reply, "sentence": error, "wakes_at": wake_at}
        return await self._transaction.run(_move, turn_id, status, at, changes)

    async def order(self, turn_id: str, order: Order | None) -> None:
        """Note what a person ordered for a turn; None takes it back."""
        await self._transaction.run(_set, _ORDER, turn_id, {"wanted": order})

    async def rate(self, turn_id: str, verdict: Rating | None) -> None:
        """Note what the person thought of the reply; None takes it back."""
        await self._transaction.run(_set, _RATE, turn_id, {"opinion": verdict})


def _reword(connection: Connection, turn_id: str, text: str) -> bool:
    return connection.execute(_REWORD, {"turn_id": turn_id, "words": text}).rowcount > 0


def _add(connection: Connection, turn: Turn) -> None:
    connection.execute(_INSERT, {c.name: getattr(turn, c.name) for c in turns.columns})


def _get(connection: Connection, turn_id: str) -> Turn:
    return Turn(*tuple(_BY_TYPED_ID.find(connection, turn_id)))


def _all(connection: Connection, statement: sa.Select[Any], values: dict[str, Any]) -> list[Turn]:
    return [Turn(*row) for row in connection.execute(statement, values)]


def _due(connection: Connection, now: datetime) -> list[Turn]:
    # Two statements: an OR would keep both databases from using the index.
    rows = [*connection.execute(_DUE_AT_ONCE), *connection.execute(_DUE_BY_TIME, {"now": now})]
    return sorted((Turn(*row) for row in rows), key=lambda turn: turn.id)


def _count(connection: Connection) -> int:
    return connection.execute(_COUNT_UNFINISHED).scalar_one()


def _standings(connection: Connection) -> dict[str, RatedTurn]:
    rows = connection.execute(_STANDINGS)
    return {turn_id: RatedTurn(status, verdict) for turn_id, status, verdict in rows}


def _orders(connection: Connection, turn_ids: Sequence[str]) -> dict[str, Order]:
    found: dict[str, Order] = {}
    for start in range(0, len(turn_ids), _AT_ONCE):
        some = {"turn_ids": turn_ids[start : start + _AT_ONCE]}
        found.update((row[0], row[1]) for row in connection.execute(_ORDERS, some))
    return found


def _first(
    connection: Connection, statement: sa.Select[Any], values: dict[str, Any]
) -> Turn | None:
    row = connection.execute(statement, values).first()
    return None if row is None else Turn(*row)


def _move(
    connection: Connection, turn_id: str, status: Status, at: datetime, changes: dict[str, Any]
) -> Turn:
    row = connection.execute(_LOCK, {"turn_id": turn_id}).first()
    if row is None:
        raise _BY_TYPED_ID.missing(turn_id)
    turn = Turn(*row)
    check_move(turn.id, turn.status, status)
    began_at = at if status is Status.RUNNING and turn.started_at is None else turn.started_at
    values = {
        "turn_id": turn_id,
        "to_status": status,
        "began_at": began_at,
        "finished_at": at if status.finished else None,
        **changes,
    }
    if changes["answer"] is None:
        values["answer"] = turn.reply
    return Turn(*connection.execute(_MOVE, values).one())


def _set(
    connection: Connection, statement: sa.Update, turn_id: str, values: dict[str, Any]
) -> None:
    if not connection.execute(statement, {"turn_id": turn_id, **values}).rowcount:
        raise _BY_TYPED_ID.missing(turn_id)
