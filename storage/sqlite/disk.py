"""Waiting for the disk: one flush for everybody who committed before it began."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from functools import partial
from pathlib import Path

_CHECKPOINT_EVERY = 100

# What SQLite itself calls after each commit with synchronous=FULL.
_flush_file: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class Disk:
    """Flushes the write-ahead log, in a thread, once for all commits that wait.

    A commit with ``synchronous=NORMAL`` is in the log but perhaps not on the disk. Flushing the
    log afterwards is what FULL does too; done here it neither blocks the event loop nor holds
    the write lock, and writers share it. Opening and closing the log is harmless to SQLite's
    locks, which are on the database file and the shared memory file.

    Args:
        database: the SQLite file.
        executor: where to wait.
    """

    def __init__(self, database: Path, executor: Executor) -> None:
        self._database = database
        self._log = database.with_name(database.name + "-wal")
        self._executor = executor
        self._descriptor: int | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._busy = False
        self._commits = 0

    async def flush(self) -> None:
        """Return when everything committed before this call is on the disk."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if not self._busy:
            self._start()
        await waiter

    def committed(self) -> None:
        """Count a commit; now and then the log is copied into the database behind the scenes."""
        self._commits += 1
        if self._commits >= _CHECKPOINT_EVERY:
            self._commits = 0
            self._executor.submit(self._checkpoint)

    def close(self) -> None:
        """Let go of the log; nobody may be waiting any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _start(self) -> None:
        batch, self._waiting = self._waiting, []
        self._busy = True
        loop = asyncio.get_running_loop()
        flushed = loop.run_in_executor(self._executor, self._flush)
        flushed.add_done_callback(partial(self._done, batch))

    def _done(self, batch: list[asyncio.Future[None]], flushed: asyncio.Future[None]) -> None:
        error = flushed.exception()
        for waiter in batch:
            if waiter.done():  # cancelled meanwhile
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
        self._busy = False
        if self._waiting:
            self._start()

    def _flush(self) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self._log, os.O_RDWR)
        _flush_file(self._descriptor)

    def _checkpoint(self) -> None:
        with closing(sqlite3.connect(self._database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
