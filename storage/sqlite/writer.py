"""The one connection of this process that writes."""

import asyncio
import sqlite3
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final

import sqlalchemy as sa

from storage.base.faults import locked, undone
from storage.base.watch import Watches
from storage.sqlite.connection import BUSY_TIMEOUT_MS, raw
from storage.sqlite.disk import Disk
from storage.sqlite.faults import primary_code
from storage.sqlite.threads import in_thread

_SLICE_MS: Final = 200
_BACKSTOP_PAGES: Final = 4000


class WriteQueue:
    """Gives the write lock to one unit of work after another, in the order they asked.

    In this process they queue for an asyncio lock. Against other processes it tries SQLite's
    lock on the event loop, where it is nearly always free, and waits for it in a thread.

    Args:
        connection: used by nobody else.
        disk: what a durable commit waits for.
        watches: told of every commit, ours and others'.
        executor: where to wait for another process.
        place: the file, for errors.
    """

    def __init__(
        self,
        connection: sa.Connection,
        disk: Disk,
        watches: Watches,
        *,
        executor: Executor,
        place: str,
    ) -> None:
        self.connection = connection
        self.disk = disk
        self._raw = raw(connection)
        self._watches = watches
        self._executor = executor
        self._place = place
        self._lock = asyncio.Lock()
        self._seen = -1
        self._raw.execute("PRAGMA busy_timeout=0")
        # Our own checkpoints run in a thread; this one only bounds the log under heavy load.
        self._raw.execute(f"PRAGMA wal_autocheckpoint={_BACKSTOP_PAGES}")
        self.look()

    @property
    def idle(self) -> bool:
        """Whether nobody in this process writes or waits to."""
        return not self._lock.locked()

    async def begin(self) -> None:
        """Take the write lock.

        Raises:
            DatabaseBusyError: another process held it for 30 seconds.
        """
        await self._lock.acquire()
        try:
            if not self._try_to_begin():
                await self._wait_to_begin()
            self.connection.begin()
            self.look()
        except BaseException:
            self.rollback()
            raise

    def commit(self) -> None:
        """Commit, give the lock to the next one and tell the watchers.

        Raises:
            OurBugError: a failed statement had already undone everything.
        """
        try:
            self._still_begun()
            self.connection.commit()
        except BaseException:
            self._undo()
            raise
        finally:
            self._lock.release()
        self.disk.committed()
        self._watches.wake()

    def rollback(self) -> None:
        """Undo, and give the lock to the next one."""
        try:
            self._undo()
        finally:
            self._lock.release()

    def look(self) -> None:
        """Tell the watchers if another process has written since the last look."""
        version: int = self._raw.execute("PRAGMA data_version").fetchone()[0]
        if version != self._seen:
            self._seen = version
            self._watches.wake()

    def _try_to_begin(self) -> bool:
        try:
            self._raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    async def _wait_to_begin(self) -> None:
        # In slices, so that a caller who is cancelled can go.
        for _ in range(BUSY_TIMEOUT_MS // _SLICE_MS):
            if await in_thread(self._executor, self._begin_within_a_slice):
                return
        raise locked(self._place)

    def _begin_within_a_slice(self) -> bool:
        self._raw.execute(f"PRAGMA busy_timeout={_SLICE_MS}")
        try:
            return self._try_to_begin()
        finally:
            self._raw.execute("PRAGMA busy_timeout=0")

    def _still_begun(self) -> None:
        if not self._raw.in_transaction:
            raise undone(self._place)

    def _undo(self) -> None:
        # Nothing to undo in a connection that was closed under us; the file undoes the rest.
        with suppress(sqlite3.ProgrammingError, sa.exc.SQLAlchemyError):
            self.connection.rollback()
            self._raw.rollback()
