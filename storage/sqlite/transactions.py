"""Transactions on the SQLite file.

Statements run on the event loop: one takes 20 to 50 microseconds, handing it to a thread and
back costs 100 to 300 (docs/decisions/0002-storage.md). What may block goes to a thread.
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Concatenate

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.errors import NoctuleError, OurBugError
from storage.base.faults import closed_already, driver_error
from storage.base.transaction import P, T
from storage.sqlite.connection import raw
from storage.sqlite.faults import explain, primary_code
from storage.sqlite.threads import in_thread
from storage.sqlite.writer import WriteQueue


class Writing:
    """A transaction that holds the write lock.

    Args:
        writer: who gives the lock.
        durable: whether a commit waits for the disk.
        executor: where long work runs.
        place: where the database is, for errors.
    """

    __slots__ = ("_durable", "_executor", "_open", "_place", "_writer")

    def __init__(
        self, writer: WriteQueue, *, durable: bool, executor: Executor, place: str
    ) -> None:
        self._writer = writer
        self._durable = durable
        self._executor = executor
        self._place = place
        self._open = False

    async def start(self) -> None:
        """Take the write lock."""
        try:
            await self._writer.begin()
        except Exception as error:
            raise explain(error, self._place) from error
        self._open = True

    async def run(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Carry it out here and now."""
        if not self._open:
            await self.start()
        try:
            return operation(self._writer.connection, *args, **kwargs)
        except Exception as error:
            raise explain(error, self._place) from error

    async def run_long(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Carry it out in a thread."""
        if not self._open:
            await self.start()
        work = partial(operation, self._writer.connection, *args, **kwargs)
        try:
            return await in_thread(self._executor, work)
        except Exception as error:
            raise explain(error, self._place) from error

    async def commit(self) -> None:
        """Commit, and when it is to be durable wait for the disk with the lock given back."""
        if not self._open:
            return
        self._open = False
        try:
            self._writer.commit()
            if self._durable:
                await self._writer.disk.flush()
        except Exception as error:
            raise explain(error, self._place) from error

    async def end(self) -> None:
        """Undo what was not committed."""
        if self._open:
            self._open = False
            self._writer.rollback()


class Readers:
    """Connections that only read, kept for the next one.

    Args:
        engine: opens them.
    """

    _KEPT = 8

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._free: list[Connection] = []
        self._closed = False

    def take(self) -> Connection:
        """Return a connection with a transaction begun."""
        connection = self._free.pop() if self._free else self._open()
        raw(connection).execute("BEGIN")
        connection.begin()
        return connection

    def give_back(self, connection: Connection) -> None:
        """End its transaction and keep it."""
        connection.rollback()
        raw(connection).rollback()
        if self._closed or len(self._free) >= self._KEPT:
            connection.close()
        else:
            self._free.append(connection)

    def close(self) -> None:
        """Close those that are not in use; the others are closed when given back."""
        self._closed = True
        while self._free:
            self._free.pop().close()

    def _open(self) -> Connection:
        if self._closed:
            raise closed_already()
        connection = self._engine.connect()
        raw(connection).execute("PRAGMA query_only=ON")
        return connection


class Reading:
    """A transaction that sees one moment and cannot write.

    Args:
        readers: where its connection comes from.
        executor: where long work runs.
        place: where the database is, for errors.
    """

    __slots__ = ("_connection", "_executor", "_place", "_readers")

    def __init__(self, readers: Readers, *, executor: Executor, place: str) -> None:
        self._readers = readers
        self._executor = executor
        self._place = place
        self._connection: Connection | None = None

    async def start(self) -> None:
        """Take a connection."""
        self._taken()

    async def run(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Carry it out here and now."""
        connection = self._taken()
        try:
            return operation(connection, *args, **kwargs)
        except Exception as error:
            raise self._explained(error) from error

    async def run_long(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Carry it out in a thread."""
        work = partial(operation, self._taken(), *args, **kwargs)
        try:
            return await in_thread(self._executor, work)
        except Exception as error:
            raise self._explained(error) from error

    async def commit(self) -> None:
        """Refuse.

        Raises:
            OurBugError: always.
        """
        raise OurBugError("A unit of work that only reads was asked to commit. Use work().")

    async def end(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._readers.give_back(connection)

    def _explained(self, error: Exception) -> NoctuleError:
        cause = driver_error(error)
        if isinstance(cause, sqlite3.Error) and primary_code(cause) == sqlite3.SQLITE_READONLY:
            return OurBugError("A unit of work that only reads was asked to write. Use work().")
        return explain(error, self._place)

    def _taken(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = self._readers.take()
            except Exception as error:
                raise explain(error, self._place) from error
        return self._connection
