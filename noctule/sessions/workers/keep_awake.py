"""Night watch: keeps the machine awake while sessions need it, and notes when it slept."""

import asyncio
import logging
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import timedelta

from noctule.core.base.ids import new_id
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.core.sessions.suspensions import Suspension
from noctule.sessions.workers.wakefulness import Wakefulness

_LOG = logging.getLogger(__name__)

LOOK_S = 20.0
_WORTH_TELLING_S = 60.0


class NightWatch:
    """Looks after the machine while a worker works.

    Args:
        database: what is unfinished, and where it is noted that the machine slept.
        wakefulness: keeps the machine awake.
        clock: paces the looks, and knows of suspensions.
        tell: is told when the machine slept; None tells nobody.
    """

    def __init__(
        self,
        database: Database,
        wakefulness: Wakefulness,
        clock: Clock,
        tell: Callable[[Suspension], None] | None = None,
    ) -> None:
        self._database = database
        self._wakefulness = wakefulness
        self._clock = clock
        self._tell = tell
        self._suspended_s = clock.suspended_s()
        self._had_work = False

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while the block runs."""
        task = asyncio.create_task(self._again_and_again())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._wakefulness.end()

    async def look(self) -> None:
        """Note a suspension, then see whether the machine is needed awake.

        Raises:
            NoctuleError: storage does not answer; what was noticed is noted at the next look.
        """
        await self._note_suspension()
        async with self._database.read() as work:
            self._had_work = any(map(goes_on_by_itself, await work.turns.unfinished()))
        with self._wakefulness.needed() if self._had_work else nullcontext():
            await self._wakefulness.keep()

    async def _note_suspension(self) -> None:
        suspended_s = self._clock.suspended_s()
        slept_s = suspended_s - self._suspended_s
        if self._had_work and slept_s >= _WORTH_TELLING_S:
            now = self._clock.now()
            began_at = now - timedelta(seconds=slept_s)
            suspension = Suspension(new_id(self._clock), platform.node(), began_at, now)
            async with self._database.work() as work:
                await work.suspensions.add(suspension)
                await work.commit()
            if self._tell is not None:
                self._tell(suspension)
        self._suspended_s = suspended_s

    async def _again_and_again(self) -> None:
        while True:
            try:
                await self.look()
            except NoctuleError as error:
                _LOG.info("the night watch looks again later: %s", error)
            await self._clock.sleep(LOOK_S)


def goes_on_by_itself(turn: Turn) -> bool:
    """Whether a turn is at work, or will be without anybody doing anything."""
    if turn.status is Status.PARKED:
        return turn.wake_at is not None
    return turn.status in {Status.RUNNING, Status.QUEUED}
