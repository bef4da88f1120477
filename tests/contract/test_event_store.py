import asyncio

import pytest

from noctule.core.errors import OurBugError
from noctule.core.llm.events import EventKind
from noctule.core.ports.database import Database
from tests.contract.conftest import Opener
from tests.support.stored_records import NOON, a_session, with_turns

DELTA = EventKind.DELTA
ENDED = EventKind.TURN_ENDED


async def test_events_come_back_in_order(database: Database) -> None:
    """They count from 1 in each session, and what append returns is what is read."""
    await with_turns(database, "t1")
    async with database.work() as work:
        await work.sessions.add(a_session("s2"))
        first = await work.events.append(
            "s1", "t1", [(DELTA, {"text": "Grüße \0"}), (ENDED, {"n": [1, None, 2.5]})], at=NOON
        )
        other = await work.events.append("s2", "t9", [(ENDED, {})], at=NOON)
        second = await work.events.append("s1", "t1", [(DELTA, {"text": "b"})], at=NOON)
        assert await work.events.append("s1", "t1", [], at=NOON) == []
        await work.commit()
    async with database.read() as work:
        stored = await work.events.after("s1", 0)
        assert stored[1:] == [*first, *second][1:]
        assert await work.events.after("s1", 2) == second
        assert [e.seq for e in await work.events.after("s1", 0, limit=2)] == [1, 2]
        assert await work.events.after("s3", 0) == []
    assert [event.seq for event in stored] == [1, 2, 3]
    assert stored[0].data == {"text": "Grüße \0"}
    assert [event.seq for event in other] == [1]


async def test_pruned_numbers_are_never_given_out_again(database: Database) -> None:
    """Deltas of one turn go; the count goes on from the highest number ever given."""
    await with_turns(database, "t1", "t2")
    async with database.work() as work:
        assert await work.events.last_seq("s1") == 0
        await work.events.append("s1", "t2", [(DELTA, {"text": "kept"})], at=NOON)
        await work.events.append("s1", "t1", [(ENDED, {}), (DELTA, {}), (DELTA, {})], at=NOON)
        await work.events.prune_deltas("t1")
        assert [event.seq for event in await work.events.after("s1", 0)] == [1, 2]
        assert await work.events.last_seq("s1") == 4
        (event,) = await work.events.append("s1", "t1", [(DELTA, {})], at=NOON)
        assert event.seq == 5
        await work.commit()


async def test_a_rolled_back_append_leaves_no_gap(database: Database) -> None:
    """Its numbers are given to the next one."""
    await with_turns(database, "t1")
    async with database.work() as work:
        await work.events.append("s1", "t1", [(DELTA, {})] * 3, at=NOON)
    async with database.work() as work:
        (event,) = await work.events.append("s1", "t1", [(DELTA, {})], at=NOON)
        await work.commit()
    assert event.seq == 1


async def test_an_event_is_json_of_a_session_that_exists(database: Database) -> None:
    """Anything else is our bug."""
    await with_turns(database, "t1")
    async with database.work() as work:
        with pytest.raises(OurBugError, match=r"JSON|StatementError|TypeError"):
            await work.events.append("s1", "t1", [(DELTA, {"at": object()})], at=NOON)
    async with database.work() as work:
        with pytest.raises(OurBugError):
            await work.events.append("nowhere", "t1", [(DELTA, {})], at=NOON)


async def test_many_tasks_append_without_gap_or_repeat(database: Database) -> None:
    """Thirty tasks on one session get consecutive numbers for each of their batches."""
    await with_turns(database, "t1")

    async def append() -> list[int]:
        async with database.work(durable=False) as work:
            events = await work.events.append("s1", "t1", [(DELTA, {})] * 2, at=NOON)
            await work.commit()
        return [event.seq for event in events]

    batches = await asyncio.gather(*(append() for _ in range(30)))
    assert sorted(seq for batch in batches for seq in batch) == list(range(1, 61))
    assert all(second == first + 1 for first, second in batches)


async def test_two_databases_append_to_one_session(open_again: Opener) -> None:
    """Two openers of one database never give out a number twice, and leave none out."""
    one, two = await open_again(), await open_again()
    await with_turns(one, "t1")

    async def append(database: Database) -> None:
        for _ in range(20):
            async with database.work() as work:
                await work.events.append("s1", "t1", [(DELTA, {})], at=NOON)
                await work.commit()

    await asyncio.gather(append(one), append(two))
    async with one.read() as work:
        assert [e.seq for e in await work.events.after("s1", 0)] == list(range(1, 41))
