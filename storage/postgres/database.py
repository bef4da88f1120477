"""A PostgreSQL database, in a schema of its own."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Final, Self

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from noctule.core.clock import Clock
from noctule.core.errors import UsageError
from noctule.core.workers.connections import CONNECTION, SERVER_SIDE
from noctule.core.workers.patience import Patience
from noctule.core.workers.tenures import Tenure
from storage.base.watch import Watches
from storage.migrate import is_newest, upgrade
from storage.postgres.faults import explain
from storage.postgres.listener import Listener
from storage.postgres.permits import PostgresPermits
from storage.postgres.presence import Presence
from storage.postgres.session_locks import PostgresSessionLocks
from storage.postgres.transaction import PostgresTransaction
from storage.unit_of_work import SqlUnitOfWork

SCHEMA: Final = "noctule"

_POOL: Final = {"pool_size": 10, "max_overflow": 20, "pool_timeout": 30, "pool_pre_ping": True}
_LOCK: Final = sa.text("SELECT pg_advisory_xact_lock(hashtext('noctule migration'))")


class PostgresDatabase:
    """One PostgreSQL database; any number of processes and machines may open it.

    Make it with :meth:`open`, on the event loop that uses it.
    """

    def __init__(self, engine: AsyncEngine, place: str, clock: Clock) -> None:
        self._engine = engine
        self._place = place
        self.patience = Patience(clock)
        self._reading = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._name = uuid.uuid4().hex
        self._watches = Watches(on_first=self._start_listening)
        connect = dict(engine.dialect.create_connect_args(engine.url)[1])
        self._listener = Listener(connect, self._watches, self._name, clock, self._away)
        presence = Presence(connect, clock, place, self._away)
        self._session_locks = PostgresSessionLocks(engine, presence, clock, place)
        self.permits = PostgresPermits(engine, presence, clock, self.patience, place)
        self._closed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str, *, clock: Clock) -> Self:
        """Connect, and bring the schema to the newest version.

        Args:
            url: ``postgresql://user:password@host/database``, with libpq's parameters.
            clock: paces connecting again.

        Raises:
            UsageError: it is no URL.
            DatabaseTooNewError: a newer Noctule wrote it.
            StorageError: it does not answer, or does not let us in.
            DatabaseBusyError: it takes no more connections.
        """
        address = _address(url)
        place = f"PostgreSQL {_host(address)}/{address.database or ''}"
        engine = create_async_engine(address, hide_parameters=True, **_POOL)
        try:
            await _prepare(engine, place)
        except Exception as error:
            await engine.dispose()
            raise explain(error, place) from error
        return cls(engine, place, clock)

    def work(self, *, durable: bool = True, tenure: Tenure | None = None) -> SqlUnitOfWork:
        """Return a new unit of work that writes."""
        transaction = PostgresTransaction(
            self._engine,
            sender=self._name,
            durable=durable,
            on_commit=self._watches.wake,
            closed=self._closed,
            place=self._place,
        )
        return SqlUnitOfWork(transaction, tenure)

    def read(self) -> SqlUnitOfWork:
        """Return a new unit of work that sees one moment and cannot write."""
        transaction = PostgresTransaction(
            self._reading,
            sender=None,
            durable=False,
            on_commit=self._watches.wake,
            closed=self._closed,
            place=self._place,
        )
        return SqlUnitOfWork(transaction)

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield once at the start and then whenever anybody, any process, may have written."""
        return self._watches.add()

    def session_lock(self, session_id: str) -> AbstractAsyncContextManager[Tenure]:
        """Hold the right to advance a session, against every process; waits for it."""
        return self._session_locks.hold(session_id)

    async def session_is_free(self, session_id: str) -> bool:
        """Return whether no process holds a session's lock at this moment."""
        return await self._session_locks.is_free(session_id)

    async def close(self) -> None:
        """Let go of every connection; what is not committed is undone."""
        self._closed.set()
        self._watches.end()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
        await self.permits.close()
        await self._session_locks.close()
        await self._engine.dispose()

    def _away(self, error: Exception) -> None:
        self.patience.refused(explain(error, self._place))

    def _start_listening(self) -> None:
        if self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(self._listener.run())


def _address(url: str) -> sa.URL:
    try:
        address = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        address = None
    if address is None:  # outside the except: the parser's own error quotes the password
        raise UsageError(
            "storage.url is no PostgreSQL URL. Write postgresql://user:password@host/database, "
            "with special characters of the password percent-encoded."
        )
    given = address.query.get("options", "")
    given = given if isinstance(given, str) else " ".join(given)
    ours = f"-c search_path={SCHEMA} -c timezone=UTC"
    options = f"{SERVER_SIDE} {given} {ours}"  # what the person gives goes before ours
    query = {**CONNECTION, **address.query, "options": options}
    return address.set(drivername="postgresql+psycopg", query=query)


def _host(address: sa.URL) -> str:
    host = address.host or address.query.get("host") or "localhost"
    host = host if isinstance(host, str) else ",".join(host)
    return host if address.port is None else f"{host}:{address.port}"


async def _prepare(engine: AsyncEngine, place: str) -> None:
    async with engine.connect() as connection:
        if await connection.run_sync(is_newest, place):
            return
        await connection.execute(_LOCK)  # other processes that open it wait here
        await connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
        await connection.run_sync(upgrade, place)
        await connection.commit()
