"""Works one session off in this process, as a command does when no worker is alive."""

import asyncio
from contextlib import suppress

from graphs.runner import Drain
from noctule.core.clock import Clock
from noctule.core.lifecycle import Status
from noctule.core.ports import Database
from noctule.core.sessions import Turn
from noctule.sessions.advance import Advancer
from noctule.sessions.lock import WorkerLock
from noctule.sessions.orders import Orders

_LOOK_SECONDS = 0.25
"""How often a command looks whether the lock is free, or wanted by ``serve``."""


class Driver:
    """Drives sessions to rest, here or by waiting for the worker that is alive.

    Args:
        database: where turns are.
        advancer: carries one turn.
        orders: what people order meanwhile.
        lock: the right to work on this data folder.
        clock: paces the looks at the lock.
    """

    def __init__(
        self,
        *,
        database: Database,
        advancer: Advancer,
        orders: Orders,
        lock: WorkerLock,
        clock: Clock,
    ) -> None:
        self._database = database
        self._advancer = advancer
        self._orders = orders
        self._lock = lock
        self._clock = clock

    async def until_rest(self, turn: Turn, *, what: str) -> Turn:
        """Return a turn once it is finished, asleep or waits for a person.

        Args:
            turn: a turn that was submitted; earlier ones of its session are worked off first.
            what: the command that works, for whoever asks who holds the lock.
        """
        while True:
            if self._lock.take(what):
                try:
                    await self._work_off(turn)
                finally:
                    self._lock.release()
            rested = await self._at_rest(turn)
            if rested is not None:
                return rested
            await self._clock.sleep(_LOOK_SECONDS)

    async def _work_off(self, turn: Turn) -> None:
        drain = Drain()
        giving_way = asyncio.create_task(self._give_way(drain))
        try:
            async with self._orders.watching():
                while not drain.requested:
                    async with self._database.read() as work:
                        following = await work.turns.oldest_unfinished(turn.session_id)
                    if following is None or following.id > turn.id:
                        return
                    progress = await self._advancer.advance(following.id, drain)
                    if not progress.turn.status.finished:
                        return
        finally:
            giving_way.cancel()
            with suppress(asyncio.CancelledError):
                await giving_way

    async def _give_way(self, drain: Drain) -> None:
        while not self._lock.asked():
            await self._clock.sleep(_LOOK_SECONDS)
        drain.request("another worker takes over")

    async def _at_rest(self, turn: Turn) -> Turn | None:
        """Return the turn when nothing more happens to it now; None while somebody works on it."""
        async with self._database.read() as work:
            now = await work.turns.get(turn.id)
            first = await work.turns.oldest_unfinished(turn.session_id)
        if now.status not in {Status.QUEUED, Status.RUNNING}:
            return now
        behind = first is not None and first.id != now.id
        asleep = behind and first is not None and first.status in {Status.PARKED, Status.WAITING}
        later = now.wake_at is not None and now.wake_at > self._clock.now()
        return now if asleep or later else None
