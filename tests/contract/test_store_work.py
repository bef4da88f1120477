import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from noctule.core.clock import SystemClock
from noctule.core.errors import NotFoundError, OurBugError, StorageError
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from storage.open import open_database
from storage.sqlite.database import SqliteDatabase
from tests.contract.conftest import Opener
from tests.support.stored_records import NOON, a_session, a_turn, an_attempt, with_turns

_HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("COMMIT")
"""


@contextmanager
def _locked_elsewhere(path: Path, seconds: float) -> Iterator[None]:
    command = [sys.executable, "-c", _HOLDER, str(path), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        assert holder.wait(30) == 0


async def test_what_is_not_committed_is_undone(database: Database) -> None:
    """Leaving without a commit, or with an exception, leaves nothing behind."""
    async with database.work() as work:
        await work.sessions.add(a_session("forgotten"))
    with pytest.raises(RuntimeError, match="midway"):  # noqa: PT012 - the block is what fails
        async with database.work() as work:
            await work.sessions.add(a_session("broken"))
            raise RuntimeError("midway")
    async with database.read() as work:
        assert await work.sessions.list() == []


async def test_everything_of_one_unit_is_kept_together(database: Database) -> None:
    """What was committed stays when the rest of the unit fails; a unit may commit twice."""
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is what fails
        async with database.work() as work:
            await work.sessions.add(a_session())
            await work.turns.add(a_turn())
            await work.commit()
            await work.turns.move("t1", Status.RUNNING, at=NOON)
            await work.commit()
            await work.turns.move("t1", Status.FAILED, at=NOON)
            raise RuntimeError
    async with database.read() as work:
        assert (await work.turns.get("t1")).status is Status.RUNNING


async def test_a_reader_sees_one_moment(database: Database) -> None:
    """Neither what is uncommitted nor what is committed after its first look."""
    await with_turns(database, "t1")
    async with database.read() as before, database.work() as work:
        assert await before.turns.count_unfinished() == 1
        await work.turns.add(a_turn("t2"))
        async with database.read() as meanwhile:
            assert await meanwhile.turns.count_unfinished() == 1
        await work.commit()
        assert await before.turns.count_unfinished() == 1
    async with database.read() as after:
        assert await after.turns.count_unfinished() == 2


async def test_a_reader_cannot_write(database: Database) -> None:
    """Writing and committing in a unit that reads are our bugs."""
    async with database.read() as work:
        with pytest.raises(OurBugError):
            await work.sessions.add(a_session())
    async with database.read() as work:
        with pytest.raises(OurBugError, match="commit"):
            await work.commit()


async def test_an_error_does_not_hold_up_the_next_unit(database: Database) -> None:
    """After a failed operation the lock is free again."""
    with pytest.raises(NotFoundError):
        async with database.work() as work:
            await work.turns.get("nowhere")
    await asyncio.gather(*(_add_session(database, f"s{number}") for number in range(20)))
    async with database.read() as work:
        assert len(await work.sessions.list()) == 20


async def test_a_cancelled_unit_lets_go(database: Database) -> None:
    """Tasks cancelled while they wait or work leave nothing behind and free the lock."""
    holding = asyncio.Event()

    async def hold(name: str) -> None:
        async with database.work() as work:
            await work.sessions.add(a_session(name))
            holding.set()
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(hold(f"s{number}")) for number in range(3)]
    await holding.wait()
    for task in reversed(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await _add_session(database, "after")
    async with database.read() as work:
        assert [session.id for session in await work.sessions.list()] == ["after"]


async def test_readers_and_writers_at_once(database: Database) -> None:
    """Forty writers and forty readers finish, and nothing is lost."""
    await with_turns(database, "t1")

    async def write(number: int) -> None:
        async with database.work(durable=number % 2 == 0) as work:
            await work.attempts.add(an_attempt(f"a{number:02d}"))
            await work.commit()

    async def read() -> None:
        async with database.read() as work:
            seen = await work.attempts.list()
            assert seen == await work.attempts.list(turn_id="t1")

    await asyncio.gather(*(write(n) for n in range(40)), *(read() for _ in range(40)))
    async with database.read() as work:
        assert len(await work.attempts.list()) == 40


async def test_only_one_of_many_moves_wins(open_again: Opener) -> None:
    """Of twenty that would start the same turn, over two openers, one does."""
    one, two = await open_again(), await open_again()
    await with_turns(one, "t1")

    async def start(database: Database) -> bool:
        async with database.work() as work:
            try:
                await work.turns.move("t1", Status.RUNNING, at=NOON)
            except OurBugError:
                return False
            await work.commit()
            return True

    started = await asyncio.gather(*(start(db) for db in (one, two) for _ in range(10)))
    assert started.count(True) == 1


async def test_a_closed_database_says_so(database: Database) -> None:
    """Using it is our bug, closing it again is nothing."""
    await database.close()
    await database.close()
    with pytest.raises(OurBugError):
        await _add_session(database, "late")
    with pytest.raises(OurBugError):
        async with database.read() as work:
            await work.sessions.list()


async def test_a_full_disk_stops_only_what_needs_it(sqlite_url: str, tmp_path: Path) -> None:
    """The unit that does not fit says so, even if it goes on to commit; the next one is kept."""
    database = await SqliteDatabase.open(tmp_path / "noctule.db", clock=SystemClock())
    await with_turns(database, "t1")
    pages = database._writer._raw
    (full,) = pages.execute("PRAGMA page_count").fetchone()
    pages.execute(f"PRAGMA max_page_count={full}")
    with pytest.raises(OurBugError, match="Nothing of it was stored"):  # noqa: PT012 - a unit
        async with database.work() as work:
            with pytest.raises(StorageError, match=r"disk .* is full"):
                await work.turns.add(a_turn("t2", text="x" * 2_000_000))
            await work.commit()
    async with database.work() as work:
        await work.turns.move("t1", Status.RUNNING, at=NOON)
        await work.commit()
        assert [turn.id for turn in await work.turns.unfinished()] == ["t1"]
    await database.close()


@pytest.mark.process
async def test_a_file_locked_elsewhere_only_delays(sqlite_url: str, tmp_path: Path) -> None:
    """Another process holds the write lock for two seconds: readers go on, writers wait."""
    database = await open_database(sqlite_url, data_folder=tmp_path, clock=SystemClock())
    with _locked_elsewhere(tmp_path / "noctule.db", 2):
        writers = [asyncio.create_task(_add_session(database, f"s{n}")) for n in range(5)]
        cancelled = asyncio.create_task(_add_session(database, "cancelled"))
        async with database.read() as work:
            assert await work.sessions.list() == []
        cancelled.cancel()
        await asyncio.gather(*writers)
    async with database.read() as work:
        assert len(await work.sessions.list()) == 5
    await database.close()


@pytest.mark.process
async def test_the_first_in_line_can_be_cancelled(sqlite_url: str, tmp_path: Path) -> None:
    """A writer that waits for another process leaves when told to, and the next one is served."""
    database = await open_database(sqlite_url, data_folder=tmp_path, clock=SystemClock())
    with _locked_elsewhere(tmp_path / "noctule.db", 1):
        first = asyncio.create_task(_add_session(database, "first"))
        second = asyncio.create_task(_add_session(database, "second"))
        await SystemClock().sleep(0.1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
    async with database.read() as work:
        assert [session.id for session in await work.sessions.list()] == ["second"]
    await database.close()


async def _add_session(database: Database, name: str) -> None:
    async with database.work() as work:
        await work.sessions.add(a_session(name))
        await work.commit()
