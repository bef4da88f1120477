"""A short sleep waited out: who sits at the terminal need not come back for half a minute."""

import asyncio
import math
from collections.abc import Callable

from noctule.channels.terminal.interrupts import Interrupts
from noctule.channels.terminal.screens.screen import Screen
from noctule.core.clock import Clock
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.sessions.workers.lock import WorkerLock

PATIENCE_S = 30.0
"""How long a person is kept waiting in all; a longer sleep ends the command instead."""

_MARGIN_S = 3.0
"""So that a limit of thirty seconds, which ends a little later, is waited for too."""

_LOOK_S = 1.0
_TAKEN_UP_S = 5.0
"""How long a worker may take to go on with what is due."""


class ShortWait:
    """Waits, with a countdown, until a turn that sleeps goes on.

    The turn is parked like any other: whoever leaves meanwhile loses nothing.

    Args:
        database: where the turn is.
        lock: tells whether a worker will go on with it.
        clock: the time.
        screen: shows the countdown.
        leave: ends the process at once, at the second Ctrl-C.
    """

    def __init__(
        self,
        *,
        database: Database,
        lock: WorkerLock,
        clock: Clock,
        screen: Screen,
        leave: Callable[[Turn], None],
    ) -> None:
        self._database = database
        self._lock = lock
        self._clock = clock
        self._screen = screen
        self._leave = leave
        self._left_s = PATIENCE_S + _MARGIN_S

    async def over(self, turn: Turn) -> bool:
        """Wait until a sleeping turn is due; False when it sleeps too long, or somebody leaves."""
        if turn.status is not Status.PARKED or self._seconds(turn) > self._left_s:
            return False
        if turn.error:
            self._screen.note(turn.error)
        begun = self._clock.monotonic()
        leaving = asyncio.Event()

        async def left() -> None:
            leaving.set()

        try:
            with Interrupts(left, lambda: self._leave(turn)):
                return await self._count_down(turn, leaving)
        finally:
            self._left_s -= self._clock.monotonic() - begun
            self._screen.close()

    async def _count_down(self, turn: Turn, leaving: asyncio.Event) -> bool:
        while not leaving.is_set():
            seconds = self._seconds(turn)
            is_taken_up = turn.status is not Status.PARKED
            if is_taken_up or (seconds <= 0 and (-seconds > _TAKEN_UP_S or not self._is_worked())):
                return True
            if seconds > self._left_s:
                return False  # it was refused again, or somebody before it was
            shown = max(0, math.ceil(seconds))
            self._screen.status(f"parked, resumes in {shown} s; Ctrl-C leaves it parked")
            await self._clock.sleep(min(_LOOK_S, max(seconds, 0.1)))
            async with self._database.read() as work:
                turn = await work.turns.get(turn.id)
        return False

    def _seconds(self, turn: Turn) -> float:
        if turn.wake_at is None:
            return math.inf
        return (turn.wake_at - self._clock.now()).total_seconds()

    def _is_worked(self) -> bool:
        holder = self._lock.worker()
        return holder is not None and holder.is_worker
