"""One thread that owns a checkpoint file: many sessions' changes in one transaction, one fsync.

Whatever waits when the thread is free becomes one transaction, and all who wait for it go on
when it is on the disk. So the disk's speed limits transactions, not sessions: while one is
written, the event loop runs the steps whose changes make up the next.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from graphs.checkpointers.batch import Batch
from graphs.checkpointers.changes import Change, DeleteThread
from graphs.checkpointers.failures import explain, is_busy
from graphs.checkpointers.index import Index
from graphs.checkpointers.schema import connect
from noctule.core.errors import StorageError

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], T]
MAX_BATCH = 512
"""Changes in one transaction; more are the next one's."""
_SOON_S = 0.002
"""How long a task's writes wait for the checkpoint that mostly follows them."""
PAGES_RETURNED = 1024
"""How many free pages a deleted thread may give back to the disk at once."""


@dataclass(slots=True)
class _Job:
    """A change or a query, and who waits for what came of it."""

    work: Change | Query[Any]
    future: "asyncio.Future[Any]"
    outcome: Any = None
    error: BaseException | None = None


class CheckpointWriter:
    """Writes to and reads from one checkpoint file, in a thread of its own.

    Args:
        path: the file; made when it does not exist, its folder must.
        keep: how many checkpoints of a namespace stay.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self._path = path
        self._keep = keep
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting: list[_Job] = []
        self._thread = threading.Thread(
            target=self._run, name=f"checkpoints {path.name}", daemon=True
        )
        self._closed = False

    async def open(self) -> None:
        """Start the thread and wait until it has the file open.

        Raises:
            DatabaseTooNewError: a newer Noctule wrote the file.
            DatabaseBusyError: another process held it for 30 seconds.
            StorageError: it cannot be opened.
        """
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._thread.start()
        await self._ready

    async def close(self) -> None:
        """Finish what was asked before, then close the file."""
        if self._closed:
            return
        self._closed = True
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._hand_over()
        self._queue.put(None)
        await asyncio.shield(self._ended)
        self._thread.join()

    async def write(self, change: Change) -> None:
        """Make one change, durably.

        Raises:
            DatabaseBusyError: another process held the file for 30 seconds.
            StorageError: the disk is full, the file damaged, or the saver closed.
        """
        await self._ask(change)

    async def write_soon(self, change: Change) -> None:
        """Make one change, durably, together with the next one if that comes at once.

        What a task wrote is mostly followed by the checkpoint that makes it superfluous: one
        transaction and one trip to the thread for both.

        Raises:
            DatabaseBusyError: another process held the file for 30 seconds.
            StorageError: the disk is full, the file damaged, or the saver closed.
        """
        await self._ask(change, soon=True)

    async def read(self, query: Query[T]) -> T:
        """Run a query on what was written before.

        Raises:
            StorageError: the file or what was asked for is damaged, or the saver closed.
        """
        result: T = await self._ask(query)
        return result

    def _ask(self, work: Change | Query[Any], *, soon: bool = False) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closed:
            future.set_exception(
                StorageError(
                    f"{self._path} was closed before the state was stored; the session goes on "
                    "from its last step at the next start."
                )
            )
        else:
            self._waiting.append(_Job(work, future))
            if not soon:
                self._hand_over()
            elif len(self._waiting) == 1:
                self._loop.call_later(_SOON_S, self._hand_over)
        return future

    def _hand_over(self) -> None:
        """Give the thread what waits, in order."""
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            self._queue.put(job)

    # the thread

    def _run(self) -> None:
        try:
            connection = connect(self._path)
        except BaseException as error:  # noqa: BLE001 - whoever opens it is told
            self._tell(_fail, self._ready, explain(error, self._path))
            return
        self._tell(_succeed, self._ready)
        try:
            self._serve(connection)
        finally:
            connection.close()
        self._tell(_succeed, self._ended)

    def _serve(self, connection: sqlite3.Connection) -> None:
        index = Index(connection)
        open_ = True
        while open_:
            jobs = [self._queue.get()]
            while len(jobs) < MAX_BATCH and not self._queue.empty():
                jobs.append(self._queue.get())
            open_ = None not in jobs
            done = [job for job in jobs if job is not None]
            changes = [job for job in done if not callable(job.work)]
            self._commit(connection, index, changes)
            for job in done:
                if callable(job.work):
                    self._query(connection, job)
            index.trim()
            self._tell(_settle, done)

    def _commit(self, connection: sqlite3.Connection, index: Index, jobs: Sequence[_Job]) -> None:
        if not jobs:
            return
        try:
            self._transact(connection, index, [job.work for job in jobs])
        except Exception as error:  # noqa: BLE001 - becomes the outcome of those who wait
            if len(jobs) == 1 or is_busy(error):
                for job in jobs:
                    job.error = explain(error, self._path)
                return
            # One of them cannot be stored: find out which, the others are not to suffer.
            for job in jobs:
                self._commit(connection, index, [job])

    def _transact(
        self, connection: sqlite3.Connection, index: Index, changes: Sequence[Any]
    ) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            index.refresh()
            Batch(connection, index, self._keep).apply_all(changes)
            connection.execute("COMMIT")
        except BaseException:
            index.clear()
            if connection.in_transaction:  # a full disk makes SQLite roll back by itself
                connection.execute("ROLLBACK")
            raise
        if any(isinstance(change, DeleteThread) for change in changes):
            with suppress(sqlite3.Error):  # a favour to the disk; the deletion is done
                connection.execute(f"PRAGMA incremental_vacuum({PAGES_RETURNED})").fetchall()

    def _query(self, connection: sqlite3.Connection, job: _Job) -> None:
        try:
            job.outcome = job.work(connection)  # type: ignore[operator]  # the caller looked
        except Exception as error:  # noqa: BLE001 - becomes the outcome of who waits
            job.error = explain(error, self._path)

    def _tell(self, what: Callable[..., None], *values: object) -> None:
        if not self._loop.is_closed():  # closed without close(): nobody is left to be told
            self._loop.call_soon_threadsafe(what, *values)


def _settle(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        if job.error is not None:
            _fail(job.future, job.error)
        else:
            _succeed(job.future, job.outcome)


def _succeed(future: "asyncio.Future[Any]", outcome: object = None) -> None:
    if not future.done():
        future.set_result(outcome)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
