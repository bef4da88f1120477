"""The right to advance a session, held against every worker on the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import psycopg

from noctule.core.clock import Clock
from storage.postgres.faults import explain
from storage.session_locks import SessionLocks

_PAUSE_SECONDS: Final = 0.2
_KEY: Final = "hashtextextended('noctule session ' || %s, 0)"
_TRY: Final = f"SELECT pg_try_advisory_lock({_KEY})"
_UNLOCK: Final = f"SELECT pg_advisory_unlock({_KEY})"
_IS_FREE: Final = (
    f"SELECT CASE WHEN pg_try_advisory_lock({_KEY}) THEN pg_advisory_unlock({_KEY}) ELSE false END"
)


class PostgresSessionLocks:
    """Advisory locks on one connection: when the process dies, the server frees them all.

    Args:
        connect: psycopg's connection arguments.
        clock: paces asking again for a lock that another process holds.
        place: host and database, for errors.
    """

    def __init__(self, connect: dict[str, Any], clock: Clock, place: str) -> None:
        self._connect = connect
        self._clock = clock
        self._place = place
        self._local = SessionLocks()
        self._connecting = asyncio.Lock()
        self._connection: psycopg.AsyncConnection | None = None
        self._held: set[str] = set()

    @asynccontextmanager
    async def hold(self, session_id: str) -> AsyncIterator[None]:
        """Hold the right to advance a session; waits for it."""
        async with self._local.hold(session_id):
            try:
                await self._take(session_id)
                yield
            finally:
                await asyncio.shield(asyncio.ensure_future(self._give_back(session_id)))

    async def is_free(self, session_id: str) -> bool:
        """Return whether no process holds a session's lock at this moment."""
        if not self._local.is_free(session_id):
            return False
        try:
            connection = await self._connected()
            # Held for the length of one statement: whoever wants it meanwhile asks again.
            row = await (await connection.execute(_IS_FREE, (session_id,) * 2)).fetchone()
        except (psycopg.Error, OSError) as error:
            raise explain(error, self._place) from error
        return row is not None and bool(row[0])

    async def close(self) -> None:
        """Let go of every lock."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    async def _take(self, session_id: str) -> None:
        try:
            while not await self._try(session_id):
                await self._clock.sleep(_PAUSE_SECONDS)
        except (psycopg.Error, OSError) as error:
            raise explain(error, self._place) from error

    async def _try(self, session_id: str) -> bool:
        connection = await self._connected()
        row = await (await connection.execute(_TRY, (session_id,))).fetchone()
        taken = row is not None and bool(row[0])
        if taken:
            self._held.add(session_id)
        return taken

    async def _give_back(self, session_id: str) -> None:
        self._held.discard(session_id)
        if self._connection is not None:
            with suppress(psycopg.Error):  # a lost connection has freed it already
                await self._connection.execute(_UNLOCK, (session_id,))

    async def _connected(self) -> psycopg.AsyncConnection:
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(
                    **self._connect, autocommit=True
                )
                for session_id in self._held:  # lost with the connection before
                    await self._connection.execute(_TRY, (session_id,))
            return self._connection
