"""Transactions in PostgreSQL."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Concatenate, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from noctule.core.errors import NoctuleError, OurBugError
from storage.base.faults import closed_already, driver_error
from storage.base.transaction import P, T
from storage.postgres.faults import explain

CHANNEL: Final = "noctule"
_READ_ONLY: Final = "25006"

# The listeners of other processes skip what they sent themselves: their payload says whose it is.
_TELL = sa.select(sa.func.pg_notify(CHANNEL, sa.bindparam("sender")))
_TELL_UNHURRIED = _TELL.add_columns(sa.func.set_config("synchronous_commit", "off", True))


class PostgresTransaction:
    """One transaction; stores lock the rows they read to change.

    Args:
        engine: where its connection comes from.
        sender: names this process to the listeners of the others; None for one that only reads.
        durable: whether a commit waits for the disk.
        on_commit: told of every commit.
        closed: set when the database was closed; its pool would open anew.
        place: host and database, for errors.
    """

    __slots__ = (
        "_closed",
        "_connection",
        "_durable",
        "_engine",
        "_on_commit",
        "_place",
        "_sender",
    )

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        sender: str | None,
        durable: bool,
        on_commit: Callable[[], None],
        closed: asyncio.Event,
        place: str,
    ) -> None:
        self._engine = engine
        self._sender = sender
        self._durable = durable
        self._on_commit = on_commit
        self._closed = closed
        self._place = place
        self._connection: AsyncConnection | None = None

    async def start(self) -> None:
        """Take a connection."""
        await self._taken()

    async def run(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Carry it out."""
        connection = await self._taken()
        try:
            return await connection.run_sync(operation, *args, **kwargs)
        except Exception as error:
            raise await self._explained(error, connection) from error

    async def run_long(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Carry it out; waiting for a server holds nobody up."""
        return await self.run(operation, *args, **kwargs)

    async def commit(self) -> None:
        """Commit and tell the watchers, here and in other processes.

        Raises:
            OurBugError: it only reads.
        """
        if self._sender is None:
            raise OurBugError("A unit of work that only reads was asked to commit. Use work().")
        if self._connection is None:
            return
        tell = _TELL if self._durable else _TELL_UNHURRIED
        try:
            await self._connection.execute(tell, {"sender": self._sender})
            await self._connection.commit()
        except Exception as error:
            raise explain(error, self._place) from error
        self._on_commit()

    async def end(self) -> None:
        """Undo what was not committed and give the connection back, even when cancelled."""
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        try:
            await asyncio.shield(asyncio.ensure_future(connection.close()))
        except Exception as error:
            raise explain(error, self._place) from error

    async def _explained(self, error: Exception, connection: AsyncConnection) -> NoctuleError:
        cause = driver_error(error)
        if isinstance(cause, psycopg.Error) and cause.sqlstate == _READ_ONLY:
            if self._sender is None:
                return OurBugError("A unit of work that only reads was asked to write. Use work().")
            with suppress(Exception):  # after a failover: the next connection finds the primary
                await connection.invalidate()
        return explain(error, self._place)

    async def _taken(self) -> AsyncConnection:
        if self._closed.is_set():
            raise closed_already()
        if self._connection is None:
            try:
                self._connection = await self._engine.connect()
            except Exception as error:
                raise explain(error, self._place) from error
        return self._connection
