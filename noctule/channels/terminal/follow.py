"""Follows background work while it runs; leaving it does not end it."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from noctule.channels.terminal.asking import QuestionDialog
from noctule.channels.terminal.interrupts import handled
from noctule.channels.terminal.screens.screen import Screen, tell_on
from noctule.channels.terminal.turn_result import FAILED, TurnResult
from noctule.channels.terminal.vigil import Vigil
from noctule.channels.terminal.watch import TurnWatch
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.sessions.workers.inline_worker import StopSignal

if TYPE_CHECKING:
    from noctule.bootstrap import Runtime

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Follow:
    """Follows one turn to its rest, here or at the worker that carries it.

    The first Ctrl-C leaves: at once when a worker carries the turn, after the current step when
    this process does. The second leaves at once in any case. Nothing of it is lost.

    Args:
        runtime: everything it takes to work.
        screen: where to show it; None shows nothing.
        what: the command, for whoever asks who works on the data folder.
        tell_route: whether a line says who decided the route.
        asking: puts questions to the person while they wait; None leaves them open.
        vigil: waits across sleeps; None ends with the first.
    """

    def __init__(
        self,
        runtime: "Runtime",
        screen: Screen | None,
        *,
        what: str,
        tell_route: bool = True,
        asking: QuestionDialog | None = None,
        vigil: Vigil | None = None,
    ) -> None:
        self._runtime = runtime
        self._screen = screen
        self._what = what
        self._tell_route = tell_route
        self._asking = asking
        self._vigil = vigil
        self._leave = StopSignal()

    async def follow(self, turn: Turn, *, after: int) -> TurnResult:
        """Return what came of a turn once it rests, or somebody leaves it.

        Args:
            turn: one that was submitted.
            after: the last event of its session before it.

        Raises:
            NoctuleError: how it ended could not be stored.
        """
        database = self._runtime.records.database
        left: set[str] = set()
        rested = await self._until_rest(turn, after)
        while not self._leave.wanted:
            async with database.read() as work:
                after = await work.events.last_seq(turn.session_id)
            answered = self._asking is not None and await self._asking.settle(rested, left)
            if not answered and not await self._slept(rested):
                break
            rested = await self._until_rest(turn, after)
        return await TurnResult.read(database, turn.id)

    async def _slept(self, rested: Turn) -> bool:
        """Wait until it goes on; False where nobody waits, or nothing is left to wait for."""
        if self._vigil is None or rested.status.finished:
            return False
        with _leaving(self._leave, lambda: None, lambda: self._leave_at_once(rested)):
            return await self._vigil.over(rested, self._leave)

    async def _until_rest(self, turn: Turn, after: int) -> Turn:
        watch = None
        if self._screen is not None:
            events = self._runtime.records.events
            watch = TurnWatch(events, self._screen, turn, after, tell_route=self._tell_route)
        rested: Turn | None = None
        try:
            with _leaving(self._leave, self._tell_leaving, lambda: self._leave_at_once(turn)):
                rested = await self._runtime.driver.until_rest(
                    turn, what=self._what, leave=self._leave, tell=tell_on(self._screen)
                )
        finally:
            if watch is not None:
                goes_on = rested is None or rested.status in {Status.QUEUED, Status.RUNNING}
                await watch.finish(None if goes_on else rested)
        return rested

    def _tell_leaving(self) -> None:
        if self._screen is not None and self._leave.works:
            self._screen.note(
                "Stopping after the current step; press again to exit at once. Nothing is lost."
            )

    def _leave_at_once(self, turn: Turn) -> None:
        if self._screen is not None:
            self._screen.close()
            self._screen.problem(
                f"Interrupted. `noctule serve` continues session {turn.session_id}."
            )
        sys.stdout.flush()
        os._exit(FAILED)


def _leaving(
    leave: StopSignal, tell: Callable[[], None], at_once: Callable[[], None]
) -> AbstractContextManager[None]:
    """Take the signals over while something is followed: the first asks, the second leaves."""

    def told() -> None:
        if leave.wanted:
            at_once()
        tell()
        leave.ask()

    return handled(dict.fromkeys(_SIGNALS, told))
