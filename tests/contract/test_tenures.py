import asyncio
from contextlib import AsyncExitStack

import psycopg
import pytest

from graphs.checkpointers import EPOCH, open_saver
from noctule.core.clock import SystemClock
from noctule.core.errors import SupersededError
from noctule.core.ports.database import Database
from noctule.core.workers.tenures import Tenure, TenuredDatabase
from storage.open import open_database
from tests.contract.conftest import Opener
from tests.support.postgres_trouble import Cable
from tests.support.stored_records import a_session

CLOCK = SystemClock()


async def add_session(database: Database, name: str, tenure: Tenure | None = None) -> None:
    async with database.work(tenure=tenure) as work:
        await work.sessions.add(a_session(name))
        await work.commit()


async def names(database: Database) -> set[str]:
    async with database.read() as work:
        return {session.id for session in await work.sessions.list()}


async def test_whoever_was_superseded_stores_nothing(database: Database) -> None:
    """The epoch rises with each taking; a write under an earlier one is refused as a whole."""
    async with database.session_lock("s") as first:
        await add_session(database, "a", first)
    async with database.session_lock("s") as second:
        assert second.epoch > first.epoch
        with pytest.raises(SupersededError):
            await add_session(database, "b", first)
        assert first.lost.is_set()
        with pytest.raises(SupersededError):
            await add_session(TenuredDatabase(database, first), "c")
        await add_session(TenuredDatabase(database, second), "d")
        assert not second.lost.is_set()
    assert await names(database) == {"a", "d"}


async def test_a_step_of_an_earlier_tenure_is_refused_by_the_saver(real_url, tmp_path) -> None:
    """Checkpoints and writes of tasks are compared in the transaction that stores them."""
    async with AsyncExitStack() as stack:
        database = await open_database(real_url, data_folder=tmp_path, clock=CLOCK)
        stack.push_async_callback(database.close)
        url = real_url if real_url.startswith("postgres") else tmp_path / "checkpoints.db"
        saver = await stack.enter_async_context(open_saver(url))
        async with database.session_lock("s") as first:
            await saver.atake("s", first.epoch)
            config = await saver.aput(place("s", first), checkpoint(1), {}, {})
        async with database.session_lock("s") as second:
            await saver.atake("s", second.epoch)
            with pytest.raises(SupersededError):
                await saver.aput(place("s", first), checkpoint(2), {}, {})
            config["configurable"][EPOCH] = first.epoch
            with pytest.raises(SupersededError):
                await saver.aput_writes(config, [("text", "late")], "task")
            stored = await saver.aget_tuple(place("s", second))
            assert stored is not None
            assert (stored.checkpoint["id"], stored.pending_writes) == ("1", [])
            assert dict(stored.metadata)[EPOCH] == first.epoch
            await saver.aput(place("s", second), checkpoint(3), {}, {})
            with pytest.raises(SupersededError):
                await saver.aput(place("s", first), checkpoint(4), {}, {})
    if url == real_url:  # it is shared with other tests
        with psycopg.connect(real_url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA checkpoints CASCADE")


def place(thread, tenure):
    return {"configurable": {"thread_id": thread, "checkpoint_ns": "", EPOCH: tenure.epoch}}


def checkpoint(number):
    return {
        "v": 4,
        "id": str(number),
        "ts": "2026-11-29T00:00:00+00:00",
        "channel_values": {},
        "channel_versions": {},
        "versions_seen": {},
        "updated_channels": None,
    }


@pytest.mark.postgres
@pytest.mark.parametrize("real_url", ["postgres"], indirect=True)
async def test_a_connection_that_is_cut_costs_a_living_worker_nothing(
    open_again: Opener, real_url: str
) -> None:
    """It is made again at once; the session stays held, and its holder goes on."""
    one, two = await open_again(), await open_again()
    async with one.session_lock("s") as tenure:
        for _ in range(3):
            cut_connections(real_url)
            await CLOCK.sleep(0.5)
            assert not await two.session_is_free("s")
        await add_session(one, "a", tenure)
        assert not tenure.lost.is_set()


def cut_connections(url: str) -> None:
    """End the connections that hold an advisory lock, as an administrator or a pooler would."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )


@pytest.mark.postgres
@pytest.mark.timeout(120)
@pytest.mark.parametrize("real_url", ["postgres"], indirect=True)
async def test_a_worker_nobody_hears_of_is_superseded_within_thirty_seconds(
    open_again: Opener, real_url: str, tmp_path
) -> None:
    """Its connections stay open and say nothing; a lease runs out, and it can store no more."""
    async with Cable(real_url) as cable:
        far = await open_database(cable.url, data_folder=tmp_path, clock=CLOCK)
        near = await open_again()

        async def take_over() -> float:
            began = CLOCK.monotonic()
            while not await near.session_is_free("s"):
                await CLOCK.sleep(0.5)
            async with near.session_lock("s") as tenure:
                await add_session(near, "near", tenure)
                return CLOCK.monotonic() - began

        async with far.session_lock("s") as tenure:
            # The other has never held a session: it only looks, as an idle worker does.
            assert not await near.session_is_free("s")
            await CLOCK.sleep(2)
            cable.freeze()
            seconds = await take_over()
            assert seconds < 30
            cable.thaw()
            with pytest.raises(SupersededError):
                await add_session(far, "far", tenure)
            assert await names(near) == {"near"}
            await far.close()


@pytest.mark.postgres
@pytest.mark.parametrize("real_url", ["postgres"], indirect=True)
async def test_many_who_look_at_once_all_see_that_a_worker_is_gone(
    open_again: Opener, real_url: str
) -> None:
    """A killed worker's sessions are free for whoever asks, however many ask together."""
    one, two = await open_again(), await open_again()
    async with one.session_lock("s"):
        with psycopg.connect(real_url, autocommit=True) as connection:
            # As a process that was killed leaves it: its row is there, its lock is not.
            connection.execute(
                "UPDATE noctule.session_tenures SET worker = 'killed' WHERE session_id = 's'"
            )
            connection.execute(
                "INSERT INTO noctule.workers VALUES ('killed', clock_timestamp() + interval '1h')"
            )
        await CLOCK.sleep(5)  # nobody is judged by a lock right after the server's start
        free = await asyncio.gather(*(two.session_is_free("s") for _ in range(20)))
        assert free == [True] * 20
