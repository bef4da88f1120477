"""The worker: finds turns that are due, has them advanced, and ends without losing one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from datetime import datetime, timedelta

from graphs.runner import Drain
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError
from noctule.core.ids import new_id
from noctule.core.lifecycle import Status
from noctule.core.ports import Database
from noctule.core.sessions import Turn
from noctule.core.settings.limits import ParkingSettings
from noctule.sessions.advance import Advancer
from noctule.sessions.engine import Drive, Engine
from noctule.sessions.orders import Orders
from noctule.sessions.rest import Rest

_LOG = logging.getLogger(__name__)

_SCAN_SECONDS = 10.0
"""How often rows are looked through although nothing said that they changed."""

_TIDY_SECONDS = 300.0
_DRAIN_GRACE_SECONDS = 20.0


class Worker:
    """Works off every session of a database until it is told to stop.

    Args:
        database: the turn rows: what is due, whoever wrote them.
        advancer: carries one turn.
        orders: what people order meanwhile.
        rest: ends turns that waited too long.
        engine: queue and timer.
        bounds: how long a turn may wait for a person.
        clock: the time.
    """

    def __init__(
        self,
        *,
        database: Database,
        advancer: Advancer,
        orders: Orders,
        rest: Rest,
        engine: Engine,
        bounds: ParkingSettings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._advancer = advancer
        self._orders = orders
        self._rest = rest
        self._engine = engine
        self._bounds = bounds
        self._clock = clock
        self._active: dict[Drain, asyncio.Task[object] | None] = {}
        self._enqueued: set[str] = set()
        self._changed = asyncio.Event()
        self._closing = False

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Work while the block runs; at its end finish the steps under way and stop."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._orders.watching())
            await self._engine.launch(self._advance)
            stack.push_async_callback(self._engine.close)
            stack.push_async_callback(self._drain)
            await self._take_up()
            for loop in (self._listen(), self._scan(), self._tidy()):
                task = asyncio.create_task(loop)
                stack.push_async_callback(_stopped, task)
            yield

    async def _advance(self, turn_id: str) -> Sequence[Drive]:
        """Advance a turn for the engine; never raises."""
        if self._closing:
            return []
        drain = Drain()
        self._active[drain] = asyncio.current_task()
        try:
            async with self._database.read() as work:
                session_id = (await work.turns.get(turn_id)).session_id
            async with self._database.session_lock(session_id):
                progress = await self._advancer.advance(turn_id, drain)
            if progress.wake_at is not None:
                return [wake_drive(progress.turn)]
            if not progress.turn.status.finished:
                return []
            async with self._database.read() as work:
                following = await work.turns.oldest_unfinished(session_id)
            if following is None or following.status is not Status.QUEUED:
                return []
            return [Drive(following.id, f"after-{turn_id}", following.wake_at)]
        except NoctuleError as error:
            _LOG.error("turn %s could not be advanced and is tried again: %s", turn_id, error)
            return [Drive(turn_id, f"again-{new_id(self._clock)}", self._soon())]
        finally:
            del self._active[drain]

    async def _take_up(self) -> None:
        """Enqueue what was under way when the last worker ended, and every known wake."""
        start = new_id(self._clock)
        async with self._database.read() as work:
            unfinished = await work.turns.unfinished()
        first: dict[str, Turn] = {}
        for turn in unfinished:
            first.setdefault(turn.session_id, turn)
        for turn in first.values():
            if turn.status is Status.RUNNING:
                await self._engine.enqueue(Drive(turn.id, f"start-{start}"))
            elif turn.status is Status.QUEUED or turn.wake_at is not None:
                await self._enqueue(wake_drive(turn))

    async def _listen(self) -> None:
        async with aclosing(self._database.changes()) as changes:
            async for _ in changes:
                self._changed.set()

    async def _scan(self) -> None:
        """Enqueue what became due by somebody's hand: new turns, resumed ones."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SCAN_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            try:
                async with self._database.read() as work:
                    due = await work.turns.due(self._clock.now())
                for turn in due:
                    await self._enqueue(wake_drive(turn))
            except NoctuleError as error:
                _LOG.warning("looking for due turns failed and is tried again: %s", error)
            await self._clock.sleep(0.02)

    async def _enqueue(self, drive: Drive) -> None:
        if drive.id in self._enqueued:
            return
        await self._engine.enqueue(drive)
        self._enqueued.add(drive.id)

    async def _tidy(self) -> None:
        """End turns nobody answered, and forget drives that are over."""
        while True:
            try:
                await self._expire()
                await self._engine.forget_finished()
            except NoctuleError as error:
                _LOG.warning("tidying failed and is tried again: %s", error)
            self._enqueued.clear()
            await self._clock.sleep(_TIDY_SECONDS)

    async def _expire(self) -> None:
        async with self._database.read() as work:
            waiting = [t for t in await work.turns.unfinished() if t.status is Status.WAITING]
            since = {t.id: await work.parkings.open_of_turn(t.id) for t in waiting}
        now = self._clock.now()
        for turn in waiting:
            parked_at = max((p.parked_at for p in since[turn.id]), default=turn.created_at)
            if now - parked_at > self._bounds.waiting_expiry:
                await self._rest.expired(turn)

    async def _drain(self) -> None:
        """Let the steps under way finish, for a while; then cut off what is left."""
        self._closing = True
        for drain in self._active:
            drain.request("the worker stops")
        waited = 0.0
        while self._active and waited < _DRAIN_GRACE_SECONDS:
            await self._clock.sleep(0.05)
            waited += 0.05
        left = [task for task in self._active.values() if task is not None]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _soon(self) -> datetime:
        return self._clock.now() + timedelta(seconds=10)


def wake_drive(turn: Turn) -> Drive:
    """Return the drive that wakes a turn at its time; the same from wherever it is asked."""
    if turn.wake_at is None:
        return Drive(turn.id, "queued")
    return Drive(turn.id, f"{turn.wake_at.timestamp():.3f}", turn.wake_at)


async def _stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
