"""Talk: one message from the moment it is said until its turn rests, shown as it goes."""

import os
import sys
from typing import TYPE_CHECKING

from noctule.channels.terminal.interrupts import Interrupts
from noctule.channels.terminal.said import FAILED, Said
from noctule.channels.terminal.screen import Screen
from noctule.channels.terminal.watch import Watch
from noctule.core.lifecycle import Status
from noctule.core.sessions import Turn

if TYPE_CHECKING:
    from noctule.bootstrap import Runtime
    from noctule.sessions.desk import Request


class Talk:
    """Says messages, works them off in this process or waits for the worker that does.

    Args:
        runtime: everything it takes to work.
        screen: where to show it; None shows nothing.
        what: the command, for whoever asks who works on the data folder.
        tell_route: whether a line says who decided each route.
    """

    def __init__(
        self, runtime: "Runtime", screen: Screen | None, *, what: str, tell_route: bool = False
    ) -> None:
        self._runtime = runtime
        self._records = runtime.records
        self._screen = screen
        self._what = what
        self._tell_route = tell_route

    async def say(self, request: "Request") -> Said:
        """Store a message and return once its turn is finished, sleeps or waits for a person.

        Ctrl-C cancels the turn; a second one ends the process at once.

        Raises:
            UsageError: the message cannot be taken as it stands.
            NotFoundError: there is no such session.
        """
        after = await self._last_event(request.session_id)
        turn = await self._records.desk.submit(request)
        watch = self._watch(turn, after)
        rested: Turn | None = None
        try:
            rested = await self._work(turn)
        finally:
            if watch is not None:
                waits = rested is None or rested.status is Status.QUEUED
                await watch.finish(None if waits else rested)
        return await Said.read(self._records.database, turn.id)

    async def _work(self, turn: Turn) -> Turn:
        interrupts = Interrupts(lambda: self._records.desk.stop(turn.id), lambda: self._leave(turn))
        with interrupts:
            rested = await self._runtime.driver.until_rest(turn, what=self._what)
            await interrupts.settle()
        return rested

    def _watch(self, turn: Turn, after: int) -> Watch | None:
        if self._screen is None:
            return None
        return Watch(self._records.events, self._screen, turn, after, tell_route=self._tell_route)

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
                f"Left at once. `noctule chat --session {turn.session_id}` goes on."
            )
        sys.stdout.flush()
        os._exit(FAILED)
