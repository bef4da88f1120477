import asyncio

import pytest

from noctule.core.clock import SystemClock
from noctule.core.ports.database import Database
from tests.contract.conftest import Opener


async def test_a_session_is_held_by_one_at_a_time(database: Database) -> None:
    """Holders of one session follow each other, also after one failed or was cancelled."""
    inside = 0

    async def hold(number: int) -> None:
        nonlocal inside
        async with database.session_lock("s1"):
            inside += 1
            assert inside == 1
            await SystemClock().sleep(0.001)
            inside -= 1
            if number == 3:
                raise RuntimeError("midway")

    tasks = [asyncio.create_task(hold(number)) for number in range(10)]
    await SystemClock().sleep(0)
    tasks[5].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [n for n, result in enumerate(results) if result is not None] == [3, 5]


async def test_other_sessions_are_not_held(database: Database) -> None:
    """Two sessions are held at once."""
    async with database.session_lock("s1"), database.session_lock("s2"):
        pass


@pytest.mark.postgres
@pytest.mark.parametrize("real_url", ["postgres"], indirect=True)
async def test_workers_on_one_postgres_exclude_each_other(open_again: Opener) -> None:
    """A second worker waits until the first lets go, or is gone."""
    one, two = await open_again(), await open_again()
    order: list[str] = []

    async def second() -> None:
        async with two.session_lock("s1"):
            order.append("second")

    async with one.session_lock("s1"):
        task = asyncio.create_task(second())
        await SystemClock().sleep(0.3)
        order.append("first")
    await task
    holder = one.session_lock("s1")
    await holder.__aenter__()
    task = asyncio.create_task(second())
    await one.close()
    await task
    await holder.__aexit__(None, None, None)
    assert order == ["first", "second", "second"]


async def test_whether_a_session_is_free_can_be_asked(database: Database) -> None:
    """It is while nobody holds it, before and after; asking takes nothing away."""
    assert await database.session_is_free("s1")
    async with database.session_lock("s1"):
        assert not await database.session_is_free("s1")
        assert await database.session_is_free("s2")
    assert await database.session_is_free("s1")


@pytest.mark.postgres
@pytest.mark.parametrize("real_url", ["postgres"], indirect=True)
async def test_a_session_held_elsewhere_is_not_free(open_again: Opener) -> None:
    """On PostgreSQL every process sees that a session is held, and that its holder is gone."""
    one, two = await open_again(), await open_again()
    async with one.session_lock("s1"):
        assert not await two.session_is_free("s1")
    assert await two.session_is_free("s1")
