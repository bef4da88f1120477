"""Talk: one message from the moment it is said until its turn rests, shown as it goes."""

import os
import sys
from typing import TYPE_CHECKING

from noctule.channels.terminal.asking import QuestionDialog
from noctule.channels.terminal.interrupts import Interrupts
from noctule.channels.terminal.screens.screen import Screen, tell_on
from noctule.channels.terminal.short_wait import ShortWait
from noctule.channels.terminal.turn_result import FAILED, TurnResult
from noctule.channels.terminal.watch import TurnWatch
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.sessions.workers.lock import WorkerLock

if TYPE_CHECKING:
    from noctule.bootstrap import Runtime
    from noctule.sessions.service.service import Request


class Talk:
    """Says messages, works them off in this process or waits for the worker that does.

    Args:
        runtime: everything it takes to work.
        screen: where to show it; None shows nothing.
        what: the command, for whoever asks who works on the data folder.
        tell_route: whether a line says who decided each route.
        asking: puts questions to the person while they wait; None leaves them open.
        patient: whether a sleep of half a minute is waited out here, with a countdown.
    """

    def __init__(
        self,
        runtime: "Runtime",
        screen: Screen | None,
        *,
        what: str,
        tell_route: bool = False,
        asking: QuestionDialog | None = None,
        patient: bool = False,
    ) -> None:
        self._runtime = runtime
        self._records = runtime.records
        self._screen = screen
        self._what = what
        self._tell_route = tell_route
        self._asking = asking
        self._patient = patient

    async def say(self, request: "Request") -> TurnResult:
        """Store a message and return once its turn is finished, sleeps or waits for a person.

        What it waits to hear is asked here if somebody can be asked, and then it goes on. Ctrl-C
        cancels the turn; a second one ends the process at once.

        Raises:
            UsageError: the message cannot be taken as it stands.
            NotFoundError: there is no such session.
        """
        after = await self._last_event(request.session_id)
        turn = await self._records.service.submit(request)
        left: set[str] = set()
        wait = self._short_wait()
        rested = await self._until_rest(turn, after)
        while True:
            after = await self._last_event(turn.session_id)
            answered = self._asking is not None and await self._asking.settle(rested, left)
            if not answered and not (wait is not None and await wait.over(rested)):
                break
            rested = await self._until_rest(turn, after)
        return await TurnResult.read(self._records.database, turn.id)

    def _short_wait(self) -> ShortWait | None:
        if self._screen is None or not self._patient:
            return None
        return ShortWait(
            database=self._records.database,
            lock=WorkerLock(self._records.home, self._records.clock),
            clock=self._records.clock,
            screen=self._screen,
            leave=self._leave,
        )

    async def _until_rest(self, turn: Turn, after: int) -> Turn:
        watch = self._watch(turn, after)
        rested: Turn | None = None
        try:
            rested = await self._work(turn)
        finally:
            if watch is not None:
                waits = rested is None or rested.status is Status.QUEUED
                await watch.finish(None if waits else rested)
        return rested

    async def _work(self, turn: Turn) -> Turn:
        interrupts = Interrupts(
            lambda: self._records.service.stop(turn.id), lambda: self._leave(turn)
        )
        with interrupts:
            rested = await self._runtime.driver.until_rest(
                turn, what=self._what, tell=tell_on(self._screen)
            )
            await interrupts.settle()
        return rested

    def _watch(self, turn: Turn, after: int) -> TurnWatch | None:
        if self._screen is None:
            return None
        return TurnWatch(
            self._records.events, self._screen, turn, after, tell_route=self._tell_route
        )

    async def _last_event(self, session_id: str | None) -> int:
        if session_id is None:
            return 0
        async with self._records.database.read() as work:
            session = await work.sessions.get(session_id)
            return await work.events.last_seq(session.id)

    def _leave(self, turn: Turn) -> None:
        """End the process now; what is stored outlives it, and the next command goes on there."""
        if self._screen is not None:
            self._screen.close()
            self._screen.problem(
                f"Interrupted. Resume with `noctule chat --session {turn.session_id}`."
            )
        sys.stdout.flush()
        os._exit(FAILED)
