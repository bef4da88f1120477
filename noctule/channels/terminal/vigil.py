"""A vigil: waiting, however long it takes, until a turn that rests goes on."""

import asyncio
from contextlib import suppress
from datetime import tzinfo

from noctule.channels.terminal.question_page import how_to_answer, question_lines
from noctule.channels.terminal.screens.screen import Screen, tell_on
from noctule.core.clock import Clock
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Question
from noctule.core.sessions.sessions import Turn
from noctule.sessions.workers.inline_worker import StopSignal
from noctule.sessions.workers.lock import WorkerLock

_LOOK_S = 2.0
"""How often it looks: a machine that was suspended meanwhile is late by no more."""


class Vigil:
    """Waits across sleeps and open questions.

    Where a worker lives it does the waking; else whoever waits goes on with the turn when it is
    due. The turn rests like any other meanwhile: whoever leaves loses nothing.

    Args:
        database: where the turn is.
        lock: tells whether a worker will go on with it.
        clock: the time.
        zone: where times are shown.
        screen: where it is told what is waited for; None tells it on stderr.
    """

    def __init__(
        self,
        *,
        database: Database,
        lock: WorkerLock,
        clock: Clock,
        zone: tzinfo,
        screen: Screen | None,
    ) -> None:
        self._database = database
        self._lock = lock
        self._clock = clock
        self._zone = zone
        self._screen = screen
        self._told: set[str] = set()

    async def over(self, turn: Turn, leave: StopSignal) -> bool:
        """Wait until a turn at rest goes on; False when it is finished, or somebody leaves.

        Args:
            turn: as it rests.
            leave: lets go of it.
        """
        try:
            while not (turn.status.finished or leave.wanted):
                front = await self._front(turn)
                await self._tell(turn, front)
                if self._goes_on(front):
                    return True
                await self._pause(leave)
                async with self._database.read() as work:
                    turn = await work.turns.get(turn.id)
            return False
        finally:
            if self._screen is not None:
                self._screen.close()

    async def _front(self, turn: Turn) -> Turn:
        """Return what has to go on first: the turn, or an earlier one of its session."""
        async with self._database.read() as work:
            first = await work.turns.oldest_unfinished(turn.session_id)
        return turn if first is None else first

    def _goes_on(self, turn: Turn) -> bool:
        if turn.status is Status.RUNNING:
            return True
        if turn.status is Status.WAITING:
            return False
        if turn.wake_at is None:
            return turn.status is Status.QUEUED
        due = turn.wake_at <= self._clock.now()
        return due and not self._is_worked()  # a worker takes it up by itself

    def _is_worked(self) -> bool:
        holder = self._lock.worker()
        return holder is not None and holder.is_worker

    async def _tell(self, turn: Turn, front: Turn) -> None:
        for question in await self._questions(turn):
            if question.id not in self._told:
                self._told.add(question.id)
                self._say("\n".join([*question_lines(question), how_to_answer(question)]))
        if front.error and front.error not in self._told:
            self._told.add(front.error)
            self._say(front.error)
        if self._screen is not None:
            self._screen.status(f"{self._rests(front)}; Ctrl-C stops following")

    async def _questions(self, turn: Turn) -> list[Question]:
        async with self._database.read() as work:
            found = await work.questions.open(session_id=turn.session_id)
        return [question for question in found if question.turn_id <= turn.id]

    def _rests(self, turn: Turn) -> str:
        if turn.status is Status.WAITING:
            return "waits for your answer"
        if turn.wake_at is None:
            return "parked until you resume it"
        at = turn.wake_at.astimezone(self._zone)
        begins = "starts" if turn.status is Status.QUEUED else "parked until"
        return f"{begins} {at:%Y-%m-%d %H:%M:%S %Z}"

    def _say(self, text: str) -> None:
        tell_on(self._screen)(text)

    async def _pause(self, leave: StopSignal) -> None:
        left = asyncio.create_task(leave.wait())
        pause = asyncio.create_task(self._clock.sleep(_LOOK_S))
        await asyncio.wait({left, pause}, return_when=asyncio.FIRST_COMPLETED)
        for task in (left, pause):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
