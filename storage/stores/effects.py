"""The journal of tool calls with a consequence."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from noctule.core.errors import OurBugError
from noctule.core.tools.effects import Effect, EffectState
from storage.base.transaction import Transaction
from storage.tables import effects

_NEW = effects.c.tool_call_id
_START = {
    "sqlite": sqlite.insert(effects).on_conflict_do_nothing().returning(_NEW),
    "postgresql": postgresql.insert(effects).on_conflict_do_nothing().returning(_NEW),
}
_ONE = (
    effects.c.session_id == sa.bindparam("of_session"),
    effects.c.tool_call_id == sa.bindparam("of_call"),
)
_GET = sa.select(effects).where(*_ONE)
_FINISH = (
    effects.update()
    .where(*_ONE, effects.c.state == EffectState.STARTED)
    .values(
        state=EffectState.DONE,
        result=sa.bindparam("what", type_=effects.c.result.type),
        failed=sa.bindparam("wrong"),
        ended_at=sa.bindparam("at", type_=effects.c.ended_at.type),
    )
)
_OF_SESSION = (
    sa.select(effects)
    .where(effects.c.session_id == sa.bindparam("of_session"))
    .order_by(effects.c.started_at, effects.c.tool_call_id)
)


class SqlEffects:
    """The journal of tool calls with a consequence."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def start(self, effect: Effect) -> Effect | None:
        """Write that a call is about to happen, unless it was written before."""
        return await self._transaction.run(_start, effect)

    async def finish(
        self, session_id: str, tool_call_id: str, *, result: str, failed: bool, at: datetime
    ) -> None:
        """Write what came of a started call; one that is done keeps its result."""
        values = {"what": result, "wrong": failed, "at": at}
        await self._transaction.run(_finish, session_id, tool_call_id, values)

    async def get(self, session_id: str, tool_call_id: str) -> Effect | None:
        """Return one effect; None when the call was never started."""
        return await self._transaction.run(_get, session_id, tool_call_id)

    async def of_session(self, session_id: str) -> list[Effect]:
        """Return the effects of a session, in order of their start."""
        return await self._transaction.run_long(_of_session, session_id)


def not_started(tool_call_id: str) -> OurBugError:
    """Return the error for a call that ended without having begun."""
    return OurBugError(
        f"The tool call {tool_call_id!r} ended and was never written down as begun. "
        "Please report this."
    )


def _start(connection: Connection, effect: Effect) -> Effect | None:
    values = {c.name: getattr(effect, c.name) for c in effects.columns}
    values["arguments"] = dict(effect.arguments)
    values["before"] = dict(effect.before)
    if connection.execute(_START[connection.dialect.name], values).first() is not None:
        return None
    return _get(connection, effect.session_id, effect.tool_call_id)


def _finish(
    connection: Connection, session_id: str, tool_call_id: str, values: dict[str, Any]
) -> None:
    values |= {"of_session": session_id, "of_call": tool_call_id}
    changed = connection.execute(_FINISH, values).rowcount
    if not changed and _get(connection, session_id, tool_call_id) is None:
        raise not_started(tool_call_id)


def _get(connection: Connection, session_id: str, tool_call_id: str) -> Effect | None:
    values = {"of_session": session_id, "of_call": tool_call_id}
    row = connection.execute(_GET, values).first()
    return None if row is None else _effect(row)


def _of_session(connection: Connection, session_id: str) -> list[Effect]:
    rows = connection.execute(_OF_SESSION, {"of_session": session_id})
    return [_effect(row) for row in rows]


def _effect(row: sa.Row[Any]) -> Effect:
    return Effect(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
