"""This process among the workers of one PostgreSQL: alive as long as others can tell.

Two signs, because processes end in two ways. An advisory lock on a connection of our own falls in
the moment in which the process dies: its sessions can be taken at once. A machine that vanished,
or a network that swallows everything, closes no connection: there a lease runs out that is renewed
every few seconds, by the database's own clock. Neither decides who may write; the epochs of
:mod:`noctule.core.workers.tenures` do, so that a wrong guess costs a repeated step and nothing
else.
"""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg

from noctule.core.clock import Clock
from noctule.core.workers.tenures import Tenure
from storage.postgres.faults import explain

LEASE_SECONDS: Final = 15.0
RENEW_SECONDS: Final = 4.0
_ANSWER_SECONDS: Final = 6.0
"""How long a renewal may take before the connection counts as lost."""

_PAUSE_SECONDS: Final = (0.05, 0.2, 0.5, 1.0)
TAKEN: Final = "noctule_taken"
"""Tells of a session that was taken: its new epoch and its id."""

ROOM: Final = "noctule_room"
"""Tells of a cap under which there is room again, where somebody waits for it."""

# Shared: our own lock on a connection that the server has not given up yet is not in our way.
_LOCK: Final = "SELECT pg_advisory_lock_shared(hashtext('noctule worker'), hashtext(%s))"
_RENEW: Final = (
    "INSERT INTO workers (id, until) "
    "VALUES (%s, clock_timestamp() + make_interval(secs => %s)) "
    "ON CONFLICT (id) DO UPDATE SET until = excluded.until"
)
_MINE: Final = "SELECT session_id, epoch FROM session_tenures WHERE worker = %s"
_LEAVE: Final = (
    "WITH mine AS (UPDATE session_tenures SET worker = NULL WHERE worker = %(id)s) "
    "DELETE FROM workers WHERE id = %(id)s OR until < clock_timestamp() - interval '1 day'"
)


class Presence:
    """Says that this process is alive, and hears which of its sessions were taken.

    Args:
        connect: psycopg's connection arguments.
        clock: paces renewals and connecting again.
        place: host and database, for errors.
        on_loss: told why the database does not answer.

    Attributes:
        id: names this process; a new one each time it is opened.
        tenures: the sessions it holds, by id.
    """

    def __init__(
        self,
        connect: dict[str, Any],
        clock: Clock,
        place: str,
        on_loss: Callable[[Exception], None],
    ) -> None:
        self.id = uuid.uuid4().hex
        self.tenures: dict[str, Tenure] = {}
        self._connect = connect
        self._clock = clock
        self._place = place
        self._on_loss = on_loss
        self._unbroken_since: float | None = None
        self._renewed_at: float | None = None
        self._beating: asyncio.Task[None] | None = None
        self._announcing = asyncio.Lock()
        self._tell_room: list[Callable[[str], None]] = []

    @property
    def may_judge_leases(self) -> bool:
        """Whether it was present for so long that everybody alive has had time to renew.

        After an outage all leases have run out, of the living too.
        """
        since = self._unbroken_since
        return since is not None and self._clock.monotonic() - since > LEASE_SECONDS

    def on_room(self, tell: Callable[[str], None]) -> None:
        """Have somebody told of a cap under which there is room again."""
        self._tell_room.append(tell)

    async def announce(self) -> None:
        """Be present from now on; returns when others can tell.

        Raises:
            NoctuleError: the database does not answer.
        """
        async with self._announcing:
            if self._beating is not None:
                return
            try:
                connection = await self._connected()
            except (psycopg.Error, OSError, TimeoutError) as error:
                raise explain(error, self._place) from error
            self._beating = asyncio.create_task(self._beat_on(connection))

    async def close(self) -> None:
        """Leave: what it held is free at once."""
        if self._beating is None:
            return
        self._beating.cancel()
        await asyncio.gather(self._beating, return_exceptions=True)
        with suppress(psycopg.Error, OSError, TimeoutError):  # then its lease runs out
            async with asyncio.timeout(_ANSWER_SECONDS):
                connection = await psycopg.AsyncConnection.connect(**self._connect, autocommit=True)
                async with connection:
                    await connection.execute(_LEAVE, {"id": self.id})

    async def _beat_on(self, connection: psycopg.AsyncConnection | None) -> None:
        tries = 0
        while True:
            try:
                if connection is None:
                    connection = await self._connected()
                tries = 0
                await self._beat(connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                if tries:  # a connection that is made again at once is nothing to tell
                    self._on_loss(error)
            finally:
                if connection is not None:
                    lost, connection = connection, None
                    with suppress(psycopg.Error, OSError):
                        await lost.close()
            await self._clock.sleep(_PAUSE_SECONDS[min(tries, len(_PAUSE_SECONDS) - 1)])
            tries += 1

    async def _connected(self) -> psycopg.AsyncConnection:
        """Return a connection that holds our sign of life, after a first renewal."""
        async with asyncio.timeout(2 * _ANSWER_SECONDS):
            connection = await psycopg.AsyncConnection.connect(**self._connect, autocommit=True)
            try:
                await connection.execute(_LOCK, (self.id,))
                await connection.execute(f"LISTEN {TAKEN}")
                await connection.execute(f"LISTEN {ROOM}")
                await self._renew(connection)
            except BaseException:
                await connection.close()
                raise
            return connection

    async def _beat(self, connection: psycopg.AsyncConnection) -> None:
        """Renew the lease, again and again; ends with an error when the connection is lost."""
        while True:
            async for notice in connection.notifies(timeout=RENEW_SECONDS):
                if notice.channel == ROOM:
                    for tell in self._tell_room:
                        tell(notice.payload)
                else:
                    self._hear(notice.payload)
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._renew(connection)

    async def _renew(self, connection: psycopg.AsyncConnection) -> None:
        asked_at = self._clock.monotonic()
        held = list(self.tenures.values())  # those taken meanwhile are younger than the answer
        await connection.execute(_RENEW, (self.id, LEASE_SECONDS))
        rows = await (await connection.execute(_MINE, (self.id,))).fetchall()
        epochs = {str(row[0]): int(row[1]) for row in rows}
        for tenure in held:
            if epochs.get(tenure.session_id) != tenure.epoch:
                self._lose(tenure)
        if self._renewed_at is None or asked_at - self._renewed_at > LEASE_SECONDS:
            self._unbroken_since = asked_at
        self._renewed_at = asked_at

    def _hear(self, payload: str) -> None:
        epoch, _, session_id = payload.partition(" ")
        tenure = self.tenures.get(session_id)
        if tenure is not None and epoch.isdecimal() and int(epoch) > tenure.epoch:
            tenure.lost.set()

    def _lose(self, tenure: Tenure) -> None:
        # Given back while the question was under way, it is nobody's loss.
        if self.tenures.get(tenure.session_id) is tenure:
            tenure.lost.set()
