"""Ends watch: who sleeps is told when a plan or a trial they may wait for comes to its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import tzinfo

from noctule.core.budgets.plan_ends import PlanEnd
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError
from noctule.core.llm.events import EventKind
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn

_LOG = logging.getLogger(__name__)

_LOOK_S = 1800.0


class EndsWatch:
    """Tells of ends a week before and on the last day, each once.

    Args:
        database: who sleeps, and what they were told.
        ends: those of the configuration.
        zone: where moments are shown.
        clock: the time.
        tell: is told too, once per process; None tells nobody.
    """

    def __init__(
        self,
        database: Database,
        ends: Sequence[PlanEnd],
        zone: tzinfo,
        clock: Clock,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._database = database
        self._ends = ends
        self._zone = zone
        self._clock = clock
        self._tell = tell
        self._told: set[str] = set()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while the block runs; does nothing where nothing ends."""
        if not self._ends:
            yield
            return
        task = asyncio.create_task(self._again_and_again())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def look(self) -> None:
        """Tell of what is near now."""
        now = self._clock.now()
        for end in self._ends:
            nearness = end.nearness(now)
            if nearness is None:
                continue
            mark = f"{end.path} {end.at.isoformat()} {nearness}"
            text = f"{end.sentence(now, self._zone)} {end.fix}"
            if self._tell is not None and mark not in self._told:
                self._tell(text)
            self._told.add(mark)
            async with self._database.work() as work:
                for turn in await work.turns.unfinished():
                    if turn.status is not Status.RUNNING:
                        await self._notice(work, turn, mark, text)
                await work.commit()

    async def _notice(self, work: UnitOfWork, turn: Turn, mark: str, text: str) -> None:
        heard = await work.events.of_turn(turn.id, [EventKind.NOTICE])
        if any(event.data.get("ends") == mark for event in heard):
            return
        item = (EventKind.NOTICE, {"text": text, "ends": mark})
        await work.events.append(turn.session_id, turn.id, [item], at=self._clock.now())

    async def _again_and_again(self) -> None:
        while True:
            try:
                await self.look()
            except NoctuleError as error:
                _LOG.info("who sleeps is told of ends later: %s", error)
            await self._clock.sleep(_LOOK_S)
