"""The right to advance a session, held against every worker on the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from noctule.core.clock import Clock
from noctule.core.errors import DatabaseBusyError, NoctuleError
from noctule.core.workers.tenures import Tenure
from storage.base.session_locks import SessionLocks
from storage.postgres.faults import explain
from storage.postgres.presence import TAKEN, Presence

_PAUSE_SECONDS: Final = 0.2
_FRESH_SECONDS: Final = 5
"""After a start of the server nobody is judged by their connection: all were lost with it."""

# A worker that is gone: nobody holds its lock, or its lease has run out. Whoever has no row has
# left. Locks are looked at, not tried: those who try would be in each other's way.
_GONE: Final = f"""(
    (pg_postmaster_start_time() < clock_timestamp() - interval '{_FRESH_SECONDS} s'
     AND NOT EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = CAST(hashtext('noctule worker') AS bigint) & 4294967295
        AND objid = CAST(hashtext(holder.worker) AS bigint) & 4294967295))
    OR NOT EXISTS (SELECT FROM workers WHERE id = holder.worker)
    OR (:judges AND NOT EXISTS (
        SELECT FROM workers WHERE id = holder.worker AND until > clock_timestamp()))
)"""  # noqa: S608 - a constant
_FREE: Final = f"(holder.worker IS NULL OR holder.worker = :me OR {_GONE})"
_PATIENCE: Final = sa.text("SELECT set_config('lock_timeout', '3s', true)")
_TAKE: Final = sa.text(f"""
INSERT INTO session_tenures AS holder (session_id, epoch, worker) VALUES (:session_id, 1, :me)
ON CONFLICT (session_id) DO UPDATE SET epoch = holder.epoch + 1, worker = excluded.worker
WHERE {_FREE} RETURNING epoch
""")  # noqa: S608 - constants
_TELL: Final = sa.text(f"SELECT pg_notify('{TAKEN}', CAST(:said AS text))")
_GIVE_BACK: Final = sa.text(
    "UPDATE session_tenures SET worker = NULL WHERE session_id = :session_id AND worker = :me"
)
_IS_FREE: Final = sa.text(
    f"SELECT {_FREE} FROM session_tenures AS holder WHERE session_id = :session_id"  # noqa: S608 - likewise
)


class PostgresSessionLocks:
    """Tenures of sessions, by rows that say which worker has them.

    Args:
        engine: for short transactions of its own.
        presence: this process among the workers.
        clock: paces asking again for a session that another process holds.
        place: host and database, for errors.
    """

    def __init__(self, engine: AsyncEngine, presence: Presence, clock: Clock, place: str) -> None:
        self._engine = engine
        self._presence = presence
        self._clock = clock
        self._place = place
        self._local = SessionLocks()
        self._closed = False

    @asynccontextmanager
    async def hold(self, session_id: str) -> AsyncIterator[Tenure]:
        """Hold the right to advance a session; waits for it.

        Raises:
            NoctuleError: the database does not answer.
        """
        async with self._local.hold(session_id):
            try:
                yield await self._taken(session_id)
            finally:
                self._presence.tenures.pop(session_id, None)
                await asyncio.shield(asyncio.ensure_future(self._give_back(session_id)))

    async def is_free(self, session_id: str) -> bool:
        """Return whether no living process holds a session at this moment."""
        if not self._local.is_free(session_id):
            return False
        # Who asks may take it, and judges by leases only after having been present for a while.
        await self._presence.announce()
        try:
            async with self._engine.begin() as connection:
                found = await connection.execute(_IS_FREE, self._values(session_id))
                free = found.scalar()
        except Exception as error:
            raise explain(error, self._place) from error
        return free is None or bool(free)

    async def close(self) -> None:
        """Let go of every session."""
        self._closed = True
        await self._presence.close()

    async def _taken(self, session_id: str) -> Tenure:
        await self._presence.announce()
        while True:
            epoch = await self._take(session_id)
            if epoch is not None:
                tenure = self._presence.tenures[session_id] = Tenure(session_id, epoch)
                return tenure
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _take(self, session_id: str) -> int | None:
        """Take a session that nobody living has; None when somebody has it."""
        try:
            async with self._engine.begin() as connection:
                # Whoever vanished in the middle of a write still locks the row for a moment.
                await connection.execute(_PATIENCE)
                found = await connection.execute(_TAKE, self._values(session_id))
                epoch: int | None = found.scalar()
                if epoch is not None and epoch > 1:
                    await connection.execute(_TELL, {"said": f"{epoch} {session_id}"})
        except Exception as error:
            explained = explain(error, self._place)
            if isinstance(explained, DatabaseBusyError):
                return None
            raise explained from error
        return epoch

    async def _give_back(self, session_id: str) -> None:
        if self._closed:
            return
        # When it fails it stays ours until we take it again or are gone.
        with suppress(NoctuleError, sa.exc.SQLAlchemyError, OSError):
            async with self._engine.begin() as connection:
                values = {"session_id": session_id, "me": self._presence.id}
                await connection.execute(_GIVE_BACK, values)

    def _values(self, session_id: str) -> dict[str, Any]:
        return {
            "session_id": session_id,
            "me": self._presence.id,
            "judges": self._presence.may_judge_leases,
        }
