"""Works one session off in this process, as a command does when no worker is alive."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from graphs.runner import Drain
from noctule.core.clock import Clock
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.reports.overview import is_resting
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.core.workers.patience import look_up
from noctule.sessions.turns.executor import TurnExecutor
from noctule.sessions.turns.forgetting import Forgetting
from noctule.sessions.turns.orders import Orders
from noctule.sessions.workers.lock import WorkerLock
from noctule.sessions.workers.wakefulness import Wakefulness

_LOOK_SECONDS = 0.25
"""How often a command looks whether the lock is free, or wanted by ``serve``."""


class StopSignal:
    """Lets somebody who waits for a turn go before it rests."""

    def __init__(self) -> None:
        self._wanted = asyncio.Event()
        self._works = 0

    @property
    def works(self) -> bool:
        """Whether the turn is worked on by the process that waits for it."""
        return self._works > 0

    @property
    def wanted(self) -> bool:
        """Whether somebody asked for it."""
        return self._wanted.is_set()

    def ask(self) -> None:
        """Let go after the current step."""
        self._wanted.set()

    async def wait(self) -> None:
        """Wait until somebody asks."""
        await self._wanted.wait()

    def __enter__(self) -> None:
        self._works += 1

    def __exit__(self, *_: object) -> None:
        self._works -= 1


class InlineWorker:
    """Drives sessions to rest, here or by waiting for the worker that is alive.

    Args:
        database: where turns are, and the lock of each session.
        advancer: carries one turn.
        orders: what people order meanwhile.
        lock: the right to work on the data folder; None where the session's lock is enough.
        clock: paces the looks at the lock.
        wakefulness: keeps the machine awake meanwhile; None does not.
        forgetting: does what a killed process left behind of its secrets; None leaves it.
    """

    def __init__(
        self,
        *,
        database: Database,
        advancer: TurnExecutor,
        orders: Orders,
        lock: WorkerLock | None,
        clock: Clock,
        wakefulness: Wakefulness | None = None,
        forgetting: Forgetting | None = None,
    ) -> None:
        self._forgetting = forgetting
        self._wakefulness = wakefulness
        self._database = database
        self._advancer = advancer
        self._orders = orders
        self._lock = lock
        self._clock = clock

    async def until_rest(
        self,
        turn: Turn,
        *,
        what: str,
        leave: StopSignal | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Turn:
        """Return a turn once it is finished, asleep or waits for a person.

        Args:
            turn: a turn that was submitted; earlier ones of its session are worked off first.
            what: the command that works, for whoever asks who holds the lock.
            leave: lets it return earlier, with the turn as it then is; None never does.
            tell: is told, once, whom it waits for in a sentence; None tells nobody.

        Raises:
            NoctuleError: how the turn ended could not be stored.
        """
        leave, waited = leave or StopSignal(), 0
        while True:
            if self._take(what):
                try:
                    async with _awake(self._wakefulness):
                        await self._work_off(turn, leave)
                finally:
                    self._release()
            else:
                waited += 1
                if tell is not None and waited > 1 and self._tell(tell):
                    tell = None
            rested = await self._at_rest(turn)
            if rested is not None:
                return rested
            if leave.wanted:
                return await self._now(turn)
            await self._pause(leave)

    def _take(self, what: str) -> bool:
        # Whoever asks for the lock gets it: who gave way must not be the first to take it again.
        return self._lock is None or (not self._lock.asked() and self._lock.take(what))

    def _tell(self, tell: Callable[[str], None]) -> bool:
        """Tell whom it waits for; False while that is a worker, which works on this turn too."""
        holder = None if self._lock is None else self._lock.holder()
        if holder is None or holder.is_worker:
            return False
        tell(holder.in_the_way)
        return True

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    async def _pause(self, leave: StopSignal) -> None:
        asked = asyncio.create_task(leave.wait())
        pause = asyncio.create_task(self._clock.sleep(_LOOK_SECONDS))
        await asyncio.wait({asked, pause}, return_when=asyncio.FIRST_COMPLETED)
        await _stopped(asked)
        await _stopped(pause)

    async def _work_off(self, turn: Turn, leave: StopSignal) -> None:
        drain = Drain()
        giving_way = asyncio.create_task(self._give_way(drain))
        leaving = asyncio.create_task(_drain_when_asked(leave, drain))
        try:
            async with self._orders.watching():
                while not drain.requested and await self._next(turn, drain, leave):
                    pass
                if self._forgetting is not None and not drain.requested:
                    await self._forgetting.left_behind()
        finally:
            await _stopped(giving_way)
            await _stopped(leaving)

    async def _next(self, turn: Turn, drain: Drain, leave: StopSignal) -> bool:
        """Carry what is next in a session; True when there may be more before the turn rests."""
        session_id = turn.session_id
        following = await look_up(
            self._database, lambda work: work.turns.oldest_unfinished(session_id)
        )
        if following is None or following.id > turn.id:
            return False
        if self._lock is None and not await self._database.session_is_free(turn.session_id):
            return False  # another process is at it: look again later
        async with self._database.session_lock(turn.session_id) as tenure:
            with leave:
                progress = await self._advancer.advance(following.id, drain, tenure)
        if progress.unstored is not None:
            raise progress.unstored
        return progress.turn.status.finished

    async def _give_way(self, drain: Drain) -> None:
        if self._lock is None:
            return
        while not self._lock.asked():
            await self._clock.sleep(_LOOK_SECONDS)
        drain.request("another worker takes over")

    async def _at_rest(self, turn: Turn) -> Turn | None:
        """Return the turn when nothing more happens to it now; None while somebody works on it."""

        async def both(work: UnitOfWork) -> tuple[Turn, Turn | None]:
            now = await work.turns.get(turn.id)
            return now, await work.turns.oldest_unfinished(turn.session_id)

        now, first = await look_up(self._database, both)
        if now.status not in {Status.QUEUED, Status.RUNNING}:
            return now
        return now if is_resting(first, self._clock.now()) else None

    async def _now(self, turn: Turn) -> Turn:
        async with self._database.read() as work:
            return await work.turns.get(turn.id)


@asynccontextmanager
async def _awake(wakefulness: Wakefulness | None) -> AsyncIterator[None]:
    """Keep the machine awake while the block runs."""
    if wakefulness is None:
        yield
        return
    try:
        with wakefulness.needed():
            await wakefulness.keep()
            yield
    finally:
        await wakefulness.keep()


async def _drain_when_asked(leave: StopSignal, drain: Drain) -> None:
    await leave.wait()
    drain.request("the person leaves")


async def _stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
