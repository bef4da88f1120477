"""Dispatch: every turn that may go on gets a drive, whoever made it due and whatever was lost.

The rows are the truth. A park leaves a delayed drive behind, but rows are also moved by hand, by
other processes, and by a refused probe; and a drive can be lost with the worker that took it. So
the rows are looked through whenever something was written, and every two seconds in any case.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta

from noctule.core.base.ids import new_id
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError, StorageError
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.core.workers.patience import PASSING
from noctule.sessions.workers.engine import DriveTask, Engine

_LOG = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
"""How often rows are looked through although nothing said that they changed."""

_PACE_SECONDS = 0.02
_AWAY_SECONDS = 1.0
"""The pause of a look that storage did not answer."""

_AHEAD = timedelta(seconds=5)
"""Wakes this near get a drive, in case nobody left one; more than one look's distance."""

_LATE_SECONDS = 2.0
"""How long after its moment a turn that does not run makes us ask what became of its drive."""

_LEFT_SECONDS = 30.0
"""How long a running turn that nobody carries is left alone after it was given a drive."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A drive that was given to a turn.

    Args:
        drive: which.
        row: the status and wake time it was given for.
        late_at: monotonic seconds from which the turn should have begun.
    """

    drive: DriveTask
    row: tuple[object, ...]
    late_at: float


class Dispatcher:
    """Gives drives to turns.

    Args:
        database: the turn rows.
        engine: queue and timer.
        carries: whether this process carries a session at this moment.
        clock: the time.
        on_damage: told when the rows cannot be read, and no wait helps.
    """

    def __init__(
        self,
        *,
        database: Database,
        engine: Engine,
        carries: Callable[[str], bool],
        clock: Clock,
        on_damage: Callable[[StorageError], None],
    ) -> None:
        self._on_damage = on_damage
        self._database = database
        self._engine = engine
        self._carries = carries
        self._clock = clock
        self._given: dict[str, _Given] = {}
        self._left: dict[str, float] = {}
        self._changed = asyncio.Event()

    async def take_up(self) -> list[Turn]:
        """Give drives to what is due or was under way when the last worker ended; return those."""
        async with self._database.read() as work:
            due = await work.turns.due(self._clock.now() + _AHEAD)
            running = await work.turns.running()
        drives = [wake_drive(turn) for turn in due]
        coming = await self._engine.coming([drive.id for drive in drives])
        for turn, drive in zip(due, drives, strict=True):
            await self._give(turn, drive if drive.id in coming else self._another(drive))
        return due + await self._take_over(running)

    async def listen(self) -> None:
        """Hear of every write; runs until cancelled."""
        async with aclosing(self._database.changes()) as changes:
            async for _ in changes:
                self._changed.set()

    async def look_again_and_again(self) -> None:
        """Look through the rows at every change and every two seconds; runs until cancelled."""
        abandoned: set[str] = set()
        looked_at = self._clock.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._look()
                self._database.patience.looked()
                if self._clock.monotonic() - looked_at >= _LOOK_SECONDS:
                    looked_at = self._clock.monotonic()
                    abandoned = await self._look_for_abandoned(abandoned)
            except PASSING as error:
                self._database.patience.refused(error)
                await self._clock.sleep(_AWAY_SECONDS)
            except StorageError as error:
                self._on_damage(error)
                return
            except NoctuleError as error:
                _LOG.warning("looking for due turns failed and is tried again: %s", error)
            await self._clock.sleep(_PACE_SECONDS)

    async def _look(self) -> None:
        async with self._database.read() as work:
            due = await work.turns.due(self._clock.now() + _AHEAD)
        self._forget_but({turn.id for turn in due})
        late = []
        for turn in due:
            given = self._given.get(turn.id)
            if given is None or given.row != _row(turn):
                await self._give(turn, self._first_drive(turn))
            elif self._clock.monotonic() >= given.late_at and not self._carries(turn.session_id):
                late.append(turn)
        if late:
            await self._look_after(late)

    async def _look_after(self, late: Sequence[Turn]) -> None:
        """Give another drive to turns whose own is lost; the others wait for a free place."""
        coming = await self._engine.coming([self._given[turn.id].drive.id for turn in late])
        for turn in late:
            drive = self._given[turn.id].drive
            if drive.id not in coming and await self._database.session_is_free(turn.session_id):
                _LOG.info("the drive %s was lost; its turn gets another", drive.id)
                await self._give(turn, self._another(drive))
            else:
                self._note(turn, drive)

    async def _look_for_abandoned(self, before: set[str]) -> set[str]:
        """Take over turns that nobody carried at two looks in a row; return this look's."""
        async with self._database.read() as work:
            running = await work.turns.running()
        mine = [turn for turn in running if not self._carries(turn.session_id)]
        await self._take_over(turn for turn in mine if turn.id in before)
        return {turn.id for turn in mine}

    async def _take_over(self, running: Iterable[Turn]) -> list[Turn]:
        now, taken = self._clock.monotonic(), []
        self._left = {turn_id: until for turn_id, until in self._left.items() if until > now}
        for turn in running:
            if turn.id in self._left or not await self._database.session_is_free(turn.session_id):
                continue
            self._left[turn.id] = now + _LEFT_SECONDS
            await self._engine.enqueue(DriveTask(turn.id, f"left-{new_id(self._clock)}"))
            taken.append(turn)
        return taken

    async def _give(self, turn: Turn, drive: DriveTask) -> None:
        await self._engine.enqueue(drive)
        self._note(turn, drive)

    def _note(self, turn: Turn, drive: DriveTask) -> None:
        wait = 0.0
        if turn.wake_at is not None:
            wait = max(0.0, (turn.wake_at - self._clock.now()).total_seconds())
        late_at = self._clock.monotonic() + wait + _LATE_SECONDS
        self._given[turn.id] = _Given(drive, _row(turn), late_at)

    def _forget_but(self, due: set[str]) -> None:
        for turn_id in self._given.keys() - due:
            del self._given[turn_id]

    def _first_drive(self, turn: Turn) -> DriveTask:
        drive = wake_drive(turn)
        # One that ran before has used up the drive of its first time.
        again = turn.wake_at is None and turn.started_at is not None
        return self._another(drive) if again else drive

    def _another(self, drive: DriveTask) -> DriveTask:
        return DriveTask(drive.turn_id, f"{drive.why}-{new_id(self._clock)}", drive.at)


def wake_drive(turn: Turn) -> DriveTask:
    """Return the drive that wakes a turn at its time; the same from wherever it is asked."""
    if turn.wake_at is None:
        return DriveTask(turn.id, Status.QUEUED.value)
    return DriveTask(turn.id, f"{turn.wake_at.timestamp():.3f}", turn.wake_at)


def _row(turn: Turn) -> tuple[object, ...]:
    return turn.status, turn.wake_at, turn.started_at
