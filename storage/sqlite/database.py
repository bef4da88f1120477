"""The SQLite file of a data folder."""

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

import sqlalchemy as sa

from noctule.core.base.private_files import keep_private, make_folder
from noctule.core.clock import Clock, SystemClock
from noctule.core.workers.patience import Patience
from noctule.core.workers.tenures import Tenure
from storage.base.faults import damaged
from storage.base.session_locks import SessionLocks
from storage.base.watch import Watches
from storage.migrate import is_newest, upgrade, version_of
from storage.sqlite.backup import back_up
from storage.sqlite.connection import make_engine, raw
from storage.sqlite.disk import Disk
from storage.sqlite.faults import explain
from storage.sqlite.threads import in_thread
from storage.sqlite.transactions import Readers, Reading, Writing
from storage.sqlite.writer import WriteQueue
from storage.stores.tenures import take
from storage.unit_of_work import SqlUnitOfWork

_LOOK_EVERY_SECONDS: Final = 0.025
_THREADS: Final = 4


class SqliteDatabase:
    """One SQLite file; several processes may open it at once.

    Make it with :meth:`open`, on the event loop that uses it.
    """

    def __init__(
        self, path: Path, engine: sa.Engine, executor: ThreadPoolExecutor, clock: Clock
    ) -> None:
        self._place = str(path)
        self.patience = Patience(clock)
        self._name = uuid.uuid4().hex
        self._engine = engine
        self._executor = executor
        self._watches = Watches(on_first=self._start_looking)
        self._session_locks = SessionLocks()
        self._readers = Readers(engine)
        disk = Disk(path, executor)
        self._writer = WriteQueue(
            engine.connect(), disk, self._watches, executor=executor, place=self._place
        )
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(cls, path: Path, *, clock: Clock) -> Self:
        """Open the file, making it and its folder when missing, at the newest version.

        One of an older version is copied into ``backups`` before it is changed.

        Args:
            path: of the file.
            clock: paces what is tried again.

        Raises:
            DatabaseTooNewError: a newer Noctule wrote it.
            StorageError: it cannot be written, or is no sound database.
            DatabaseBusyError: another process holds it.
        """
        executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="noctule-db")
        engine = make_engine(path)
        try:
            await in_thread(executor, lambda: prepare(path, engine))
            return cls(path, engine, executor, clock)
        except Exception as error:
            executor.shutdown()
            raise explain(error, str(path)) from error

    @property
    def permits(self) -> None:
        """None: one process works here, and its own line is all there is."""

    def work(self, *, durable: bool = True, tenure: Tenure | None = None) -> SqlUnitOfWork:
        """Return a new unit of work that writes; it takes the write lock at its start."""
        transaction = Writing(
            self._writer, durable=durable, executor=self._executor, place=self._place
        )
        return SqlUnitOfWork(transaction, tenure)

    def read(self) -> SqlUnitOfWork:
        """Return a new unit of work that sees one moment and cannot write."""
        return SqlUnitOfWork(Reading(self._readers, executor=self._executor, place=self._place))

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield once at the start and then whenever anybody, any process, may have written.

        At once for this process; within 25 ms for another.
        """
        return self._watches.add()

    @asynccontextmanager
    async def session_lock(self, session_id: str) -> AsyncIterator[Tenure]:
        """Hold the right to advance a session; waits for it.

        Within this process only: one process works on a data folder. Where two do all the same
        (a lock that a network's file system does not keep), the epoch tells them apart.
        """
        async with self._session_locks.hold(session_id):
            writing = Writing(
                self._writer, durable=False, executor=self._executor, place=self._place
            )
            try:
                epoch = await writing.run(take, session_id, self._name)
                await writing.commit()
            finally:
                await writing.end()
            yield Tenure(session_id, epoch)

    async def session_is_free(self, session_id: str) -> bool:
        """Return whether nobody in this process holds a session's lock at this moment."""
        return self._session_locks.is_free(session_id)

    async def close(self) -> None:
        """Let go of every connection; what is not committed is undone."""
        if self._closed:
            return
        self._closed = True
        self._watches.end()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await in_thread(self._executor, self._let_go)
        self._executor.shutdown()

    def close_now(self) -> None:
        """The same where no event loop runs any more: nobody is waited for."""
        if not self._closed:
            self._closed = True
            self._let_go()
            self._executor.shutdown()

    def _let_go(self) -> None:
        self._readers.close()
        self._writer.disk.close()
        self._writer.connection.close()
        self._engine.dispose()

    def _start_looking(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        # Real time, whatever clock the rest lives by: it is real processes that are watched.
        clock = SystemClock()
        self._watches.wake()
        while self._watches:
            await clock.sleep(_LOOK_EVERY_SECONDS)
            if self._writer.idle:
                self._writer.look()


def prepare(path: Path, engine: sa.Engine) -> None:
    """Make the file when it is missing, and bring it to the newest version."""
    make_folder(path.parent)
    keep_private(path)
    with engine.connect() as connection:
        _use_write_ahead_log(raw(connection))
        if is_newest(connection, str(path)):
            return
        connection.rollback()
        raw(connection).execute("BEGIN IMMEDIATE")  # other processes that open it wait here
        before = version_of(connection)
        if before is not None and not is_newest(connection, str(path)):
            back_up(path, before)
        upgrade(connection, str(path))
        connection.commit()


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise damaged("The database", f"it cannot keep a write-ahead log, its journal is {mode}")
