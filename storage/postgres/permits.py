"""Room under caps, held against every worker on the database."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError
from noctule.core.workers.patience import Patience
from storage.postgres.faults import explain
from storage.postgres.presence import LEASE_SECONDS, ROOM, Presence

_UNHEARD_SECONDS: Final = 5
"""How long nothing was heard of a worker without a connection before its room is free: one whose
connection was only cut has made it again by then, and its calls are still under way."""

_PLACE_SECONDS: Final = 10
"""How long a place in the line lasts after it was last asked for."""

_PATIENT_SECONDS: Final = 30
"""After this long in the line room is kept under all caps, not only under those that were full."""

_RETRY_SECONDS: Final = (0.2, 1.0, 5.0)
_CLOSING_SECONDS: Final = 2.0

# One at a time decides about a cap. In the order given, so that no two wait for each other.
_ALONE: Final = sa.text("""
SELECT pg_advisory_xact_lock(hashtextextended('noctule cap ' || cap, 0))
FROM unnest(CAST(:caps AS text[])) AS cap
""")
_FORGET: Final = sa.text(f"""
DELETE FROM cap_permits AS holder WHERE cap = ANY(CAST(:caps AS text[])) AND worker <> :me AND (
    (NOT held AND seen_at < clock_timestamp() - interval '{_PLACE_SECONDS} s')
    OR NOT EXISTS (SELECT FROM workers WHERE id = holder.worker)
    OR (:judges AND NOT EXISTS (
        SELECT FROM workers WHERE id = holder.worker AND until > clock_timestamp()))
    OR (pg_postmaster_start_time() < clock_timestamp() - interval '{2 * _UNHEARD_SECONDS} s'
        AND NOT EXISTS (
        SELECT FROM workers WHERE id = holder.worker
        AND until > clock_timestamp() + interval '{LEASE_SECONDS - _UNHEARD_SECONDS} s')
        AND pg_try_advisory_xact_lock(hashtextextended('noctule worker ' || holder.worker, 0)))
)
""")  # noqa: S608 - constants
_SINCE: Final = """COALESCE((SELECT min(asked_at) FROM cap_permits
WHERE cap = ANY(CAST(:asked AS text[])) AND worker = :me AND id = :id), clock_timestamp())"""
# Among those who wait in this process its own line decides.
_FULL: Final = sa.text(f"""
WITH mine AS (SELECT {_SINCE} AS since)
SELECT wanted.cap, mine.since, mine.since < clock_timestamp() - interval '{_PATIENT_SECONDS} s'
FROM mine, unnest(CAST(:caps AS text[]), CAST(:mosts AS integer[])) AS wanted (cap, most)
WHERE most <= (
    SELECT count(*) FROM cap_permits AS other WHERE other.cap = wanted.cap
    AND NOT (worker = :me AND id = :id)
    AND (held OR (worker <> :me AND (rank, asked_at, worker) < (:rank, mine.since, :me))))
""")  # noqa: S608 - likewise
_LEAVE: Final = sa.text(
    "DELETE FROM cap_permits WHERE cap = ANY(CAST(:caps AS text[])) AND worker = :me AND id = :id"
)
_ENTER: Final = sa.text("""
INSERT INTO cap_permits (cap, worker, id, rank, held, asked_at, seen_at)
SELECT cap, :me, :id, :rank, :held, COALESCE(CAST(:since AS timestamptz), clock_timestamp()),
    clock_timestamp()
FROM unnest(CAST(:caps AS text[])) AS cap
""")
_TELL: Final = sa.text(f"""
SELECT pg_notify('{ROOM}', cap) FROM (
    SELECT DISTINCT cap FROM cap_permits
    WHERE cap = ANY(CAST(:caps AS text[])) AND NOT held AND worker <> :me) AS waited_for
""")  # noqa: S608 - likewise


class PostgresPermits:
    """Room under caps, by rows that say which worker has it; satisfies ``Permits``.

    Args:
        engine: for short transactions of its own.
        presence: this process among the workers.
        clock: paces what is tried again.
        patience: of the database.
        place: host and database, for errors.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        presence: Presence,
        clock: Clock,
        patience: Patience,
        place: str,
    ) -> None:
        self._engine = engine
        self._presence = presence
        self._clock = clock
        self._patience = patience
        self._place = place
        self._caps: dict[str, list[str]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def take(self, permit_id: str, caps: Mapping[str, int], *, rank: int) -> Collection[str]:
        """Take room under all of some caps at once, or none; returns those that are full.

        Raises:
            NoctuleError: the database does not answer.
        """
        names = sorted(caps)
        self._caps[permit_id] = sorted({*names, *self._caps.get(permit_id, ())})
        values = {**self._values(permit_id, self._caps[permit_id]), "rank": rank}
        mosts = [caps[name] for name in names]

        async def once() -> Collection[str]:
            await self._presence.announce()
            try:
                async with self._engine.begin() as connection:
                    return await _taken(connection, values, names, mosts)
            except Exception as error:
                raise explain(error, self._place) from error

        return await self._patience.keep_trying(once)

    def give_back(self, permit_id: str) -> None:
        """Give one back in the background, or its place in the line."""
        caps = self._caps.pop(permit_id, None)
        if caps is not None:
            task = asyncio.create_task(self._leave(self._values(permit_id, caps)))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def on_room(self, tell: Callable[[str], None]) -> None:
        """Have somebody told of a cap under which another worker made room."""
        self._presence.on_room(tell)

    async def close(self) -> None:
        """Give back what is left; what cannot be is free once this process is known to be gone."""
        for permit_id in list(self._caps):
            self.give_back(permit_id)
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=_CLOSING_SECONDS)
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _leave(self, values: dict[str, Any]) -> None:
        tries = 0
        while True:
            try:
                async with self._engine.begin() as connection:
                    await connection.execute(_ALONE, values)
                    await connection.execute(_LEAVE, values)
                    await connection.execute(_TELL, values)
            except (NoctuleError, sa.exc.SQLAlchemyError, OSError):
                await self._clock.sleep(_RETRY_SECONDS[min(tries, len(_RETRY_SECONDS) - 1)])
                tries += 1
            else:
                return

    def _values(self, permit_id: str, caps: list[str]) -> dict[str, Any]:
        return {
            "id": permit_id,
            "caps": caps,
            "me": self._presence.id,
            "judges": self._presence.may_judge_leases,
        }


async def _taken(
    connection: AsyncConnection, values: dict[str, Any], names: list[str], mosts: list[int]
) -> list[str]:
    """Take what a permit counts against, or a place in the line; returns what is full."""
    wanted = {**values, "asked": values["caps"], "caps": names, "mosts": mosts}
    await connection.execute(_ALONE, values)
    await connection.execute(_FORGET, values)
    found = (await connection.execute(_FULL, wanted)).all()
    full = [str(row[0]) for row in found]
    entered = names if not full or found[0][2] else full
    await connection.execute(_LEAVE, values)
    since = found[0][1] if found else None
    row = {**values, "caps": entered, "held": not full, "since": since}
    await connection.execute(_ENTER, row)
    return full
