import asyncio
from dataclasses import replace

import pytest

from noctule.core.errors import OurBugError
from noctule.core.llm.limits import LimitKey
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.sessions.parkings import ParkingKind
from tests.support.stored_records import KEY, NOON, a_parking, later, with_turns


async def _open(work: UnitOfWork) -> list[str]:
    return [parking.id for parking in await work.parkings.all_open()]


async def test_a_parking_comes_back_as_it_was_stored(database: Database) -> None:
    """Every field survives, of one that waits for a limit and of one made by hand."""
    by_hand = a_parking(
        "p2",
        kind=ParkingKind.HAND,
        wake_at=None,
        evidence=None,
        key=None,
        model=None,
        tried=(),
        interrupt_id=None,
    )
    account = a_parking("p3", key=LimitKey("cloud", "", None))
    await with_turns(database, "t1")
    async with database.work() as work:
        for parking in (account, by_hand, a_parking("p1")):
            await work.parkings.add(parking)
        await work.commit()
    async with database.read() as work:
        assert await work.parkings.open_of_turn("t1") == [a_parking("p1"), by_hand, account]


async def test_a_parking_belongs_to_a_turn_that_exists(database: Database) -> None:
    """A parking of nobody is our bug."""
    await with_turns(database)
    async with database.work() as work:
        with pytest.raises(OurBugError):
            await work.parkings.add(a_parking())


async def test_due_parkings_come_earliest_first(database: Database) -> None:
    """Those without a wake time, those of later and those closed are not due."""
    await with_turns(database, "t1")
    async with database.work() as work:
        for name, second in (("p1", 30), ("p2", 10), ("p3", 20), ("p4", 61), ("p5", 5)):
            await work.parkings.add(a_parking(name, wake_at=later(second)))
        await work.parkings.add(a_parking("p6", wake_at=None))
        await work.parkings.close(["p5"], woken_at=NOON)
        due = await work.parkings.due(later(30))
    assert [parking.id for parking in due] == ["p2", "p3", "p1"]


async def test_sleepers_of_one_limit(database: Database) -> None:
    """Exactly that key: not another model of it, and not the whole account."""
    keys = {
        "p1": KEY,
        "p2": LimitKey("cloud", "f1", None),
        "p3": LimitKey("cloud", "f2", "haiku"),
        "p4": None,
        "p5": KEY,
    }
    await with_turns(database, "t1")
    async with database.work() as work:
        for name, key in keys.items():
            await work.parkings.add(a_parking(name, key=key))
        assert [p.id for p in await work.parkings.open_on(KEY)] == ["p1", "p5"]
        account = await work.parkings.open_on(LimitKey("cloud", "f1", None))
        assert [p.id for p in account] == ["p2"]


async def test_many_sleepers_are_moved_at_once(database: Database) -> None:
    """Open ones move, closed ones stay, and None leaves them to a person."""
    names = [f"p{number:04d}" for number in range(1500)]
    await with_turns(database, "t1")
    async with database.work() as work:
        for name in names:
            await work.parkings.add(a_parking(name))
        await work.parkings.close(names[:1], woken_at=later(1))
        await work.parkings.reschedule(names, later(5))
        due = await work.parkings.due(later(5))
        await work.parkings.reschedule(names, None)
        assert await work.parkings.due(later(9)) == []
        await work.parkings.reschedule([], NOON)
    assert [parking.id for parking in due] == names[1:]


async def test_a_closed_parking_keeps_its_time(database: Database) -> None:
    """Closing again, one by one or by the turn, changes only what is still open."""
    await with_turns(database, "t1", "t2")
    async with database.work() as work:
        for name, turn in (("p1", "t1"), ("p2", "t1"), ("p3", "t2")):
            await work.parkings.add(a_parking(name, turn))
        await work.parkings.close(["p1", "nowhere"], woken_at=later(1))
        assert await _open(work) == ["p2", "p3"]
        await work.parkings.close_turn("t1", woken_at=later(2))
        assert await _open(work) == ["p3"]
        await work.parkings.close([], woken_at=NOON)
        assert await work.parkings.open_of_turn("t1") == []


async def test_one_at_a_time_moves_the_sleepers_of_a_limit(database: Database) -> None:
    """Two that name the same limits in another order wait for one another's end, not for ever."""
    other = replace(KEY, model="opus")
    inside: list[str] = []
    first_is_in, second_comes = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with database.work() as work:
            await work.parkings.line_up([KEY, other])
            first_is_in.set()
            await second_comes.wait()
            for _ in range(50):  # long enough for somebody who is not held up
                await work.parkings.open_on(KEY)
            inside.append("first")
            await work.commit()

    async def second() -> None:
        await first_is_in.wait()
        second_comes.set()
        async with database.work() as work:
            await work.parkings.line_up([other, KEY, other])
            inside.append("second")
            await work.commit()

    async with asyncio.timeout(20):
        await asyncio.gather(first(), second())
    assert inside == ["first", "second"]
