import pytest

from noctule.core.errors import OurBugError
from noctule.core.ports.database import Database
from tests.support.stored_records import a_steer, later, with_turns


async def test_remarks_wait_until_a_loop_reads_them(database: Database) -> None:
    """Oldest first, those of this turn; what was read is not read again."""
    await with_turns(database, "t1", "t2")
    async with database.work() as work:
        for name, turn in (("r2", "t1"), ("r1", "t1"), ("r3", "t2")):
            await work.steers.add(a_steer(name, turn_id=turn))
        await work.commit()
    async with database.work() as work:
        assert await work.steers.waiting("t1") == [a_steer("r1"), a_steer("r2")]
        await work.steers.take(["r1", "nowhere"], at=later(1))
        await work.steers.take([], at=later(1))
        assert [steer.id for steer in await work.steers.waiting("t1")] == ["r2"]
        assert [steer.id for steer in await work.steers.waiting("t2")] == ["r3"]


async def test_a_remark_belongs_to_a_turn_that_exists(database: Database) -> None:
    """A remark to nobody is our bug."""
    await with_turns(database)
    async with database.work() as work:
        with pytest.raises(OurBugError):
            await work.steers.add(a_steer())
