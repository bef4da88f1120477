import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from storage.sqlite.disk import Disk


class Counting(Executor):
    """Runs in a thread and counts how often it was asked."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.asked = 0
        self._threads = threads

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.asked += 1
        return self._threads.submit(fn, *args, **kwargs)


@pytest.fixture
def executor() -> Iterator[Counting]:
    """One thread, counted."""
    with ThreadPoolExecutor(1) as threads:
        yield Counting(threads)


async def test_commits_that_wait_together_share_a_flush(executor: Counting, tmp_path: Path) -> None:
    """Fifty waiters take two flushes: the one under way when they came, and one for them all."""
    (tmp_path / "x.db-wal").touch()
    disk = Disk(tmp_path / "x.db", executor)
    await asyncio.gather(*(disk.flush() for _ in range(50)))
    assert executor.asked == 2
    disk.close()


async def test_a_failed_flush_is_told_to_all_who_waited(executor: Counting, tmp_path: Path) -> None:
    """Nobody is told that it is on the disk when it is not; the next flush starts anew."""
    disk = Disk(tmp_path / "x.db", executor)
    results = await asyncio.gather(*(disk.flush() for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [FileNotFoundError] * 5
    (tmp_path / "x.db-wal").touch()
    await disk.flush()
    disk.close()


async def test_a_cancelled_waiter_does_not_hold_up_the_others(
    executor: Counting, tmp_path: Path
) -> None:
    """The flush goes on for those who stayed."""
    (tmp_path / "x.db-wal").touch()
    disk = Disk(tmp_path / "x.db", executor)
    waiters = [asyncio.create_task(disk.flush()) for _ in range(4)]
    await asyncio.sleep(0)  # noqa: TID251 - lets them begin to wait
    waiters[0].cancel()
    waiters[2].cancel()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert [result is None for result in results] == [False, True, False, True]
    disk.close()
