"""The orchestrator's decisions."""

from collections.abc import Mapping, Sequence

from noctule.core.routes import Route
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, missing_parent


class MemoryRoutes:
    """The orchestrator's decisions."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def put(self, turn_id: str, route: Route) -> None:
        """Store the route of a turn, replacing an earlier one (a hand-over)."""
        tables = await self._transaction.writing("routes")
        if turn_id not in tables.turns:
            raise missing_parent("turn", turn_id)
        tables.routes[turn_id] = stored(route)

    async def of_turn(self, turn_id: str) -> Route | None:
        """Return the route of a turn; None when it was never routed."""
        return (await self._transaction.reading()).routes.get(turn_id)

    async def of_turns(self, turn_ids: Sequence[str]) -> Mapping[str, Route]:
        """Return the routes of several turns; turns without one are missing."""
        routes = (await self._transaction.reading()).routes
        return {name: routes[name] for name in turn_ids if name in routes}
