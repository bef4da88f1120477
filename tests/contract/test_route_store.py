import pytest

from noctule.core.base.roles import Role
from noctule.core.errors import OurBugError
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.ports.database import Database
from tests.support.stored_records import with_turns

PLAN = Route((Role.RESEARCH, Role.WRITER), Complexity.COMPLEX, DecidedBy.RULE, "names two", 0.9)
HAND_OVER = Route((Role.CHAT,), Complexity.SIMPLE, DecidedBy.MODEL, "small talk")


async def test_a_route_comes_back_as_it_was_stored(database: Database) -> None:
    """Roles keep their order; no confidence stays none."""
    await with_turns(database, "t1", "t2")
    async with database.work() as work:
        await work.routes.put("t1", PLAN)
        await work.routes.put("t2", HAND_OVER)
        await work.commit()
    async with database.read() as work:
        assert await work.routes.of_turn("t1") == PLAN
        assert await work.routes.of_turn("t2") == HAND_OVER
        assert await work.routes.of_turn("t") is None


async def test_a_hand_over_replaces_the_route(database: Database) -> None:
    """A turn has one route."""
    await with_turns(database, "t1")
    async with database.work() as work:
        await work.routes.put("t1", PLAN)
        await work.routes.put("t1", HAND_OVER)
        assert await work.routes.of_turn("t1") == HAND_OVER


async def test_routes_of_several_turns_are_read_at_once(database: Database) -> None:
    """Turns without a route are missing; lists may be long."""
    await with_turns(database, "t1", "t2")
    async with database.work() as work:
        await work.routes.put("t1", PLAN)
        many = ["t1", "t2", *(f"none{n}" for n in range(1200))]
        assert await work.routes.of_turns(many) == {"t1": PLAN}
        assert await work.routes.of_turns([]) == {}


async def test_a_route_belongs_to_a_turn_that_exists(database: Database) -> None:
    """A route of nowhere is our bug."""
    async with database.work() as work:
        with pytest.raises(OurBugError):
            await work.routes.put("nowhere", PLAN)
