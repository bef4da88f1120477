import asyncio

import pytest

from noctule.core.errors import OurBugError
from noctule.core.ports.database import Database
from noctule.core.tools.effects import Effect, EffectState
from tests.support.stored_records import an_effect, later, with_turns


async def test_an_effect_comes_back_as_it_was_stored(database: Database) -> None:
    """Every field survives, before and after it is done."""
    await with_turns(database, "t1")
    async with database.work() as work:
        assert await work.effects.start(an_effect()) is None
        assert await work.effects.get("s1", "c1") == an_effect()
        await work.effects.finish("s1", "c1", result="written", failed=True, at=later(2))
        await work.commit()
    async with database.read() as work:
        done = an_effect(state=EffectState.DONE, result="written", failed=True, ended_at=later(2))
        assert await work.effects.get("s1", "c1") == done
        assert await work.effects.get("s1", "c2") is None
        assert await work.effects.get("s2", "c1") is None


async def test_a_call_begins_once(database: Database) -> None:
    """Beginning again returns what stands there and changes nothing of it."""
    await with_turns(database, "t1")
    async with database.work() as work:
        await work.effects.start(an_effect())
        again = an_effect(tool="shell", arguments={"command": "rm"}, started_at=later(9))
        assert await work.effects.start(again) == an_effect()
        await work.effects.finish("s1", "c1", result="done", failed=False, at=later(1))
        await work.effects.finish("s1", "c1", result="other", failed=True, at=later(2))
        there = await work.effects.start(again)
    assert there is not None
    assert (there.state, there.result, there.failed) == (EffectState.DONE, "done", False)


async def test_of_many_who_begin_one_call_one_does(database: Database) -> None:
    """The others are told of the first."""
    await with_turns(database, "t1")

    async def begin(number: int) -> Effect | None:
        async with database.work() as work:
            found = await work.effects.start(an_effect(tool=f"tool{number}"))
            await work.commit()
            return found

    found = await asyncio.gather(*(begin(number) for number in range(8)))
    assert found.count(None) == 1
    assert len({effect.tool for effect in found if effect is not None}) == 1


async def test_a_call_that_never_began_cannot_end(database: Database) -> None:
    """That would be an effect nobody wrote down."""
    await with_turns(database, "t1")
    async with database.work() as work:
        with pytest.raises(OurBugError, match="c1"):
            await work.effects.finish("s1", "c1", result="", failed=False, at=later(1))


async def test_effects_of_a_session_come_in_order_of_their_start(database: Database) -> None:
    """Whatever their calls are named."""
    await with_turns(database, "t1")
    async with database.work() as work:
        for name, second in (("c3", 1), ("c1", 2), ("c2", 2), ("c0", 3)):
            await work.effects.start(an_effect(name, started_at=later(second)))
        found = [effect.tool_call_id for effect in await work.effects.of_session("s1")]
        assert await work.effects.of_session("s2") == []
    assert found == ["c3", "c1", "c2", "c0"]


async def test_an_effect_belongs_to_a_turn_that_exists(database: Database) -> None:
    """An effect of nobody is our bug."""
    await with_turns(database)
    async with database.work() as work:
        with pytest.raises(OurBugError):
            await work.effects.start(an_effect())
