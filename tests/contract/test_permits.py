import asyncio

import psycopg
import pytest

from noctule.core.clock import SystemClock
from noctule.core.ports.database import Database
from storage.open import open_database

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]

CLOCK = SystemClock()
CAP = {"model:m": 2}


async def opened(url: str, folder) -> Database:
    return await open_database(url, data_folder=folder, clock=CLOCK)


def permits_of(database: Database):
    assert database.permits is not None
    return database.permits


async def until_taken(database: Database, name: str, caps: dict[str, int] = CAP) -> None:
    async with asyncio.timeout(60):
        while await permits_of(database).take(name, caps, rank=1):
            await CLOCK.sleep(0.05)


async def test_processes_share_the_room_under_caps(empty_postgres_url, tmp_path) -> None:
    """All caps are taken at once or none; what is given back is told to who waits."""
    one, two = [await opened(empty_postgres_url, tmp_path) for _ in range(2)]
    told = asyncio.Event()
    permits_of(two).on_room(lambda cap: told.set() if cap == "model:m" else None)
    assert not await permits_of(one).take("a", CAP, rank=1)
    assert not await permits_of(two).take("b", {"model:m": 2, "role:r": 1}, rank=1)
    assert set(await permits_of(two).take("c", {"model:m": 2, "role:r": 1}, rank=1)) == {
        "model:m",
        "role:r",
    }
    assert not await permits_of(one).take("a", CAP, rank=1)  # a second time is the same permit
    permits_of(one).give_back("a")
    async with asyncio.timeout(30):
        await told.wait()
    assert list(await permits_of(two).take("c", {"model:m": 2, "role:r": 1}, rank=1)) == ["role:r"]
    permits_of(two).give_back("b")
    await until_taken(two, "c", {"model:m": 2, "role:r": 1})
    await one.close()
    await two.close()


async def test_whoever_waits_longer_goes_first(empty_postgres_url, tmp_path) -> None:
    """A worker that gives back and asks anew does not go before one that waits."""
    one, two = [await opened(empty_postgres_url, tmp_path) for _ in range(2)]
    cap = {"model:m": 1}
    assert not await permits_of(one).take("a", cap, rank=1)
    assert await permits_of(two).take("b", cap, rank=1)
    permits_of(one).give_back("a")
    async with asyncio.timeout(30):
        while await held(empty_postgres_url):
            await CLOCK.sleep(0.02)
    assert await permits_of(one).take("a2", cap, rank=1)
    assert not await permits_of(two).take("b", cap, rank=1)
    permits_of(two).give_back("b")
    await until_taken(one, "a2", cap)
    assert await permits_of(two).take("c", cap, rank=1)
    permits_of(one).give_back("a2")
    await until_taken(two, "urgent", cap)  # "c" is of the same process: its own line decides
    await one.close()
    await two.close()


async def test_what_a_dead_worker_held_is_free_again(empty_postgres_url, tmp_path) -> None:
    """Rows of a worker nobody hears of count no more; those of one whose connection is cut do."""
    one, two = [await opened(empty_postgres_url, tmp_path) for _ in range(2)]
    cap = {"model:m": 1}
    assert not await permits_of(one).take("a", cap, rank=1)
    with psycopg.connect(empty_postgres_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database() "
            "AND query LIKE '%LISTEN%'"
        )
        for _ in range(5):
            assert await permits_of(two).take("b", cap, rank=1)
        permits_of(one).give_back("a")
        await until_taken(two, "b", cap)
        # A worker without a lock, whose last renewal was six seconds ago.
        connection.execute(
            "INSERT INTO noctule.workers VALUES ('dead', clock_timestamp() + interval '9 s')"
        )
        connection.execute(
            "INSERT INTO noctule.cap_permits VALUES "
            "('role:r', 'dead', 'x', 1, true, clock_timestamp(), clock_timestamp()), "
            "('role:s', 'nobody', 'x', 1, true, clock_timestamp(), clock_timestamp())"
        )
    await until_taken(two, "c", {"role:r": 1, "role:s": 1})
    await one.close()
    await two.close()


async def held(url: str) -> bool:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        rows = await connection.execute("SELECT FROM noctule.cap_permits WHERE held")
        return await rows.fetchone() is not None
