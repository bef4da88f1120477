"""The orchestrator's decisions."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.base.roles import Role
from noctule.core.llm.routes import Route
from storage.base.transaction import Transaction
from storage.base.upsert import upsert
from storage.tables import routes

_PUT = upsert(routes)
_OF_TURN = sa.select(routes).where(routes.c.turn_id == sa.bindparam("turn_id"))
_OF_TURNS = sa.select(routes).where(routes.c.turn_id.in_(sa.bindparam("turn_ids", expanding=True)))
_AT_ONCE = 500


class SqlRoutes:
    """The orchestrator's decisions."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, turn_id: str, route: Route) -> None:
        """Store the route of a turn, replacing an earlier one (a hand-over)."""
        await self._transaction.run(_put, turn_id, route)

    async def of_turn(self, turn_id: str) -> Route | None:
        """Return the route of a turn; None when it was never routed."""
        return await self._transaction.run(_of_turn, turn_id)

    async def of_turns(self, turn_ids: Sequence[str]) -> Mapping[str, Route]:
        """Return the routes of several turns; turns without one are missing."""
        return await self._transaction.run_long(_of_turns, turn_ids)


def _put(connection: Connection, turn_id: str, route: Route) -> None:
    values = {
        "turn_id": turn_id,
        "roles": [role.value for role in route.roles],
        "complexity": route.complexity,
        "by": route.by,
        "reason": route.reason,
        "confidence": route.confidence,
    }
    connection.execute(_PUT[connection.dialect.name], values)


def _of_turn(connection: Connection, turn_id: str) -> Route | None:
    row = connection.execute(_OF_TURN, {"turn_id": turn_id}).first()
    return None if row is None else _route(row)


def _of_turns(connection: Connection, turn_ids: Sequence[str]) -> dict[str, Route]:
    found: dict[str, Route] = {}
    for start in range(0, len(turn_ids), _AT_ONCE):
        some = {"turn_ids": turn_ids[start : start + _AT_ONCE]}
        for row in connection.execute(_OF_TURNS, some):
            found[row.turn_id] = _route(row)
    return found


def _route(row: sa.Row[Any]) -> Route:
    return Route(
        roles=tuple(Role(role) for role in row.roles),
        complexity=row.complexity,
        by=row.by,
        reason=row.reason,
        confidence=row.confidence,
    )
