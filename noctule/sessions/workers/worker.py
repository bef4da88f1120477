"""The worker: carries turns as the engine drives them, and ends without losing one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from graphs.runner import Drain
from noctule.core.base.ids import new_id
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError, StorageError
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.core.sessions.suspensions import Suspension
from noctule.core.settings.limits import ParkingSettings
from noctule.core.workers.patience import PASSING
from noctule.core.workers.tenures import Tenure
from noctule.sessions.turns.executor import TurnExecutor
from noctule.sessions.turns.orders import Orders
from noctule.sessions.turns.progress import Progress
from noctule.sessions.turns.transitions import TurnTransitions
from noctule.sessions.workers.dispatcher import Dispatcher, wake_drive
from noctule.sessions.workers.engine import DriveTask, Engine
from noctule.sessions.workers.lock import Holder

_LOG = logging.getLogger(__name__)

_TIDY_SECONDS = 300.0
_DRAIN_GRACE_SECONDS = 20.0
_AWAY_GRACE_SECONDS = 3.0
"""How long a worker that stops waits for storage that does not answer."""

_AGAIN = timedelta(seconds=10)


class Reporter(Protocol):
    """Is told what the worker does."""

    def waits(self, holder: Holder) -> None:
        """Take note that it begins as soon as another worker has stopped."""
        ...

    def ready(self, found: "TakenUp") -> None:
        """Take note that it works from now on, and of what it found."""
        ...

    def begins(self, turn: Turn) -> None:
        """Take note that a turn begins or goes on; its status is still that before."""
        ...

    def rests(self, turn: Turn) -> None:
        """Take note of where a turn came to rest."""
        ...

    def ends(self, sentence: str) -> None:
        """Take note that a plan or a trial comes to its end."""
        ...

    def slept(self, suspension: Suspension) -> None:
        """Take note that the machine slept although there was work."""
        ...


@dataclass(frozen=True, slots=True)
class TakenUp:
    """What a worker found when it started.

    Args:
        begun: turns that were under way when their process ended.
        queued: turns that had not begun.
        asleep: turns that wake by themselves, or were parked by hand.
        waiting: turns that wait for a person.
    """

    begun: int = 0
    queued: int = 0
    asleep: int = 0
    waiting: int = 0


class Worker:
    """Works off every session of a database until it is told to stop.

    Args:
        database: the turn rows: what is due, whoever wrote them.
        advancer: carries one turn.
        orders: what people order meanwhile.
        rest: ends turns that waited too long.
        engine: queue and timer.
        bounds: how long a turn may wait for a person.
        most_turns: how many turns are carried at once.
        clock: the time.
        reporter: is told what happens; None tells nobody.
        stopping: is called when it begins nothing more; None calls nothing.

    Attributes:
        taken_up: what was unfinished when it started.
    """

    def __init__(  # noqa: PLR0913 - the parts a worker is made of
        self,
        *,
        database: Database,
        advancer: TurnExecutor,
        orders: Orders,
        rest: TurnTransitions,
        engine: Engine,
        bounds: ParkingSettings,
        most_turns: int,
        clock: Clock,
        reporter: Reporter | None = None,
        stopping: Callable[[], None] | None = None,
    ) -> None:
        self._stopping = stopping
        self._database = database
        self._advancer = advancer
        self._orders = orders
        self._rest = rest
        self._engine = engine
        self._bounds = bounds
        self._clock = clock
        self._reporter = reporter
        self._dispatch = Dispatcher(
            database=database,
            engine=engine,
            carries=self._carries,
            clock=clock,
            on_damage=self._note_damage,
        )
        self._damage = asyncio.Event()
        self._damaged: StorageError | None = None
        self._carried: dict[str, Drain] = {}
        self._places = asyncio.Semaphore(most_turns)
        self._under_way: set[asyncio.Task[Progress]] = set()
        self._closing = False
        self.taken_up = TakenUp()

    def use(self, bounds: ParkingSettings) -> None:
        """Hold to other bounds from now on."""
        self._bounds = bounds

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Work while the block runs; at its end finish the steps under way and stop."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._orders.watching())
            self.taken_up = await self._count()
            stack.push_async_callback(self._engine.close)
            await self._engine.launch(self._advance)
            stack.push_async_callback(self._drain)
            if self._reporter is not None:
                self._reporter.ready(self.taken_up)
            await self._dispatch.take_up()
            loops = (self._dispatch.listen(), self._dispatch.look_again_and_again(), self._tidy())
            for loop in loops:
                stack.push_async_callback(_stopped, asyncio.create_task(loop))
            yield

    async def damage(self) -> StorageError:
        """Return what is wrong with storage once no wait mends it: the worker can do nothing."""
        await self._damage.wait()
        assert self._damaged is not None  # noqa: S101 - set before the event
        return self._damaged

    def _note_damage(self, error: StorageError) -> None:
        if not self._damage.is_set():
            _LOG.error("storage is damaged: %s", error)
            self._damaged = error
            self._damage.set()

    def _carries(self, session_id: str) -> bool:
        return session_id in self._carried

    async def _count(self) -> TakenUp:
        async with self._database.read() as work:
            statuses = [turn.status for turn in await work.turns.unfinished()]
        return TakenUp(
            begun=statuses.count(Status.RUNNING),
            queued=statuses.count(Status.QUEUED),
            asleep=statuses.count(Status.PARKED),
            waiting=statuses.count(Status.WAITING),
        )

    async def _advance(self, turn_id: str) -> Sequence[DriveTask]:
        """Advance a turn for the engine; never raises."""
        if self._closing:
            return []  # the row says that it is due: the next start sees to it
        try:
            async with self._database.read() as work:
                turn = await work.turns.get(turn_id)
            if not await self._carry(turn):
                return []
            return await self._following(turn)
        except PASSING as error:
            self._database.patience.refused(error)
            return [self._again(turn_id)]
        except StorageError as error:
            self._note_damage(error)
            return []
        except NoctuleError as error:
            _LOG.error("turn %s could not be advanced and is tried again: %s", turn_id, error)
            return [self._again(turn_id)]

    def _again(self, turn_id: str) -> DriveTask:
        return DriveTask(turn_id, f"again-{new_id(self._clock)}", self._clock.now() + _AGAIN)

    async def _carry(self, turn: Turn) -> bool:
        """Carry a turn as far as it goes; False when somebody else is at its session.

        Whoever is at it looks at the session once more after letting go of it, so that nothing
        that was said meanwhile is missed, and nobody here waits for them.
        """
        session_id = turn.session_id
        if self._carries(session_id) or not await self._database.session_is_free(session_id):
            return False
        if self._carries(session_id):  # somebody came while we asked
            return False
        drain = self._carried[session_id] = Drain()
        try:
            async with self._places, self._database.session_lock(session_id) as tenure:
                await self._advance_reporting(turn, drain, tenure)
        finally:
            del self._carried[session_id]
        return True

    async def _advance_reporting(self, turn: Turn, drain: Drain, tenure: Tenure) -> None:
        if self._closing:
            return
        if self._reporter is not None and await self._begins(turn):
            self._reporter.begins(turn)
        task = asyncio.create_task(self._advancer.advance(turn.id, drain, tenure))
        self._under_way.add(task)
        try:
            progress = await _outcome(task)
        finally:
            self._under_way.discard(task)
        if progress is None:
            return  # cut off; the next start goes on
        if progress.unstored is not None:
            raise progress.unstored
        if self._reporter is not None and progress.turn != turn:
            self._reporter.rests(progress.turn)

    async def _begins(self, turn: Turn) -> bool:
        async with self._database.read() as work:
            first = await work.turns.oldest_unfinished(turn.session_id)
        is_next = first is not None and first.id == turn.id
        return is_next and (turn.status is Status.RUNNING or turn.due(self._clock.now()))

    async def _following(self, turn: Turn) -> list[DriveTask]:
        """Return the drive of whatever is next in a session, as its rows now say."""
        async with self._database.read() as work:
            following = await work.turns.oldest_unfinished(turn.session_id)
        if following is None or following.status is Status.RUNNING:
            return []  # drained, or its rest could not be stored: the dispatch looks after it
        if following.wake_at is not None:
            return [wake_drive(following)]
        if following.status is Status.QUEUED:
            return [DriveTask(following.id, f"after-{turn.id}")]
        return []

    async def _tidy(self) -> None:
        """End turns nobody answered, and forget drives that are over."""
        while True:
            try:
                await self._expire()
                await self._engine.forget_finished()
            except PASSING as error:
                self._database.patience.refused(error)
            except NoctuleError as error:
                _LOG.warning("tidying failed and is tried again: %s", error)
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
        if self._stopping is not None:
            self._stopping()
        for drain in self._carried.values():
            drain.request("the worker stops")
        away = self._database.patience.is_out
        if self._under_way:
            grace_s = _AWAY_GRACE_SECONDS if away else _DRAIN_GRACE_SECONDS
            await asyncio.wait(set(self._under_way), timeout=grace_s)
        self._database.patience.give_up()
        left = set(self._under_way)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


async def _outcome(task: "asyncio.Task[Progress]") -> Progress | None:
    """Wait for a turn that is carried; None when it was cut off."""
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    return None if task.cancelled() else task.result()


async def _stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
