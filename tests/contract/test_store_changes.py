import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import psycopg
import pytest

from noctule.core.clock import SystemClock
from noctule.core.llm.events import EventKind
from noctule.core.ports.database import Database
from storage.open import open_database
from tests.contract.conftest import Opener
from tests.support.stored_records import NOON, a_session, with_turns

_WRITER = """
import asyncio, sys
from pathlib import Path
import noctule
from noctule.core.clock import SystemClock
from noctule.core.llm.events import EventKind
from storage.open import open_database

async def main() -> None:
    clock = SystemClock()
    database = await open_database(sys.argv[1], data_folder=Path("unused"), clock=clock)
    for number in range(int(sys.argv[2])):
        async with database.work() as work:
            await work.events.append("s1", "t1", [(EventKind.DELTA, {})], at=clock.now())
            await work.commit()
        await clock.sleep(0.01)
    await database.close()

asyncio.run(main())
"""


async def _next(changes: AsyncGenerator[None, None]) -> None:
    async with asyncio.timeout(20):
        await anext(changes)


async def _quiet(changes: AsyncGenerator[None, None]) -> bool:
    try:
        async with asyncio.timeout(0.3):
            await anext(changes)
    except TimeoutError:
        return True
    return False


async def _drained(changes: AsyncGenerator[None, None]) -> None:
    while not await _quiet(changes):
        pass


async def test_a_watch_yields_at_once_and_at_every_commit(database: Database) -> None:
    """What happens while nobody waits is not missed; a rollback is no change."""
    changes = database.changes()
    await _next(changes)
    await _drained(changes)
    async with database.work() as work:
        await work.sessions.add(a_session("undone"))
    assert await _quiet(changes)
    await with_turns(database, "t1")
    await _next(changes)
    await _drained(changes)


async def test_a_cancelled_wait_loses_nothing(database: Database) -> None:
    """The next wait sees what came in between."""
    changes = database.changes()
    await _drained(changes)
    waiting = asyncio.ensure_future(anext(changes))
    await SystemClock().sleep(0)
    waiting.cancel()
    await with_turns(database, "t1")
    await _next(changes)


async def test_a_closed_watch_ends(database: Database) -> None:
    """aclose ends one watch, closing the database ends them all and those still to come."""
    async with aclosing(database.changes()) as closed:
        await _next(closed)
    with pytest.raises(StopAsyncIteration):
        await anext(closed)
    ended = database.changes()
    await _drained(ended)
    waiting = asyncio.ensure_future(anext(ended, "ended"))
    await SystemClock().sleep(0)
    await database.close()
    assert await waiting == "ended"
    assert [None async for _ in database.changes()] == []


async def test_another_opener_is_heard(open_again: Opener) -> None:
    """A commit through a second connection wakes the watchers of the first."""
    one, two = await open_again(), await open_again()
    changes = one.changes()
    await _drained(changes)
    await with_turns(two, "t1")
    await _next(changes)
    async with one.read() as work:
        assert await work.turns.count_unfinished() == 1


@pytest.mark.process
async def test_a_follower_misses_nothing_of_another_process(
    real_url: str, open_again: Opener
) -> None:
    """Following by changes sees every event that another process writes meanwhile."""
    database = await open_again()
    await with_turns(database, "t1")
    seen: list[int] = []
    command = ("-c", _WRITER, real_url, "30")
    writer = await asyncio.create_subprocess_exec(sys.executable, *command)
    async with asyncio.timeout(60), aclosing(database.changes()) as changes:
        async for _ in changes:
            async with database.read() as work:
                seen += [e.seq for e in await work.events.after("s1", len(seen))]
            if len(seen) == 30:
                break
    assert await writer.wait() == 0
    assert seen == list(range(1, 31))


@pytest.mark.postgres
async def test_a_lost_listener_connects_again(empty_postgres_url: str, tmp_path: Path) -> None:
    """After the server ended its connections, watchers are woken and hear of writes again."""
    url = empty_postgres_url
    one = await open_database(url, data_folder=tmp_path, clock=SystemClock())
    two = await open_database(url, data_folder=tmp_path, clock=SystemClock())
    changes = one.changes()
    await _drained(changes)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await _next(changes)
    await _drained(changes)
    await with_turns(two, "t1")
    await _next(changes)
    async with one.read() as work:
        await work.events.last_seq("s1")
    async with two.work() as work:
        await work.events.append("s1", "t1", [(EventKind.NOTICE, {})], at=NOON)
        await work.commit()
    await two.close()
    await one.close()
