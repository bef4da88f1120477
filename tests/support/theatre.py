"""A whole Noctule on a stage: real graph, real checkpoints, stores and rests; fake endpoints.

In a test::

    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will("first", refused(429, retry_after=60))
        turn = await theatre.say("Hello")
        assert turn.status is Status.PARKED
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noctule.bootstrap import Runtime, open_records, open_runtime
from noctule.config import Loaded
from noctule.core.llm.attempts import Attempt
from noctule.core.llm.events import Event, EventKind
from noctule.core.sessions.sessions import Turn
from noctule.sessions.service.service import Request
from tests.support.stage import Stage
from tools.base.tool import Tool
from tools.registry import Toolbox


@dataclass
class Theatre:
    """The parts a test looks at."""

    stage: Stage
    runtime: Runtime

    @property
    def service(self):
        return self.runtime.records.service

    @property
    def clock(self):
        return self.stage.clock

    async def say(self, text: str, **wanted: Any) -> Turn:
        """Submit a message and carry its session until it rests."""
        await self.clock.advance(0.001)  # ids sort by time, and here it stands still
        turn = await self.service.submit(Request(text, **wanted))
        return await self.rest(turn)

    async def rest(self, turn: Turn) -> Turn:
        """Carry every due turn of a session; return the given one as it then is."""
        while True:
            async with self.runtime.records.database.read() as work:
                following = await work.turns.oldest_unfinished(turn.session_id)
            if following is None:
                break
            progress = await self.runtime.advancer.advance(following.id)
            if not progress.turn.status.finished:
                break
        return await self.turn(turn.id)

    async def turn(self, turn_id: str) -> Turn:
        async with self.runtime.records.database.read() as work:
            return await work.turns.get(turn_id)

    async def events(self, session_id: str) -> list[Event]:
        async with self.runtime.records.database.read() as work:
            return await work.events.after(session_id, 0)

    async def parkings(self, turn_id: str):
        async with self.runtime.records.database.read() as work:
            return await work.parkings.open_of_turn(turn_id)

    async def attempts(self) -> list[Attempt]:
        """Return the ledger in the order in which attempts ended: the clock may stand still."""
        async with self.runtime.records.database.read() as work:
            rows = {row.id: row for row in await work.attempts.list()}
            ended = [
                event.data["attempt"]
                for session in reversed(await work.sessions.list())
                for event in await work.events.after(session.id, 0)
                if event.kind is EventKind.ATTEMPT_ENDED
            ]
        assert sorted(rows) == sorted(ended)
        return [rows[name] for name in ended]


@asynccontextmanager
async def open_theatre(
    folder: Path, stage: Stage | None = None, *, tools: Sequence[Tool[Any]] | None = None
) -> AsyncIterator[Theatre]:
    """Open one; the checkpoints lie in the folder, everything else in memory.

    Args:
        folder: where checkpoints and workspaces are.
        stage: the models; None takes a new one.
        tools: all that agents have; None takes the configured ones.
    """
    stage = stage or Stage()
    loaded = Loaded(stage.settings, folder / "config.yaml", folder)
    async with (
        open_records(loaded, clock=stage.clock, database=stage.database) as records,
        open_runtime(
            records,
            models=stage.models,
            toolbox=Toolbox(stage.settings, clock=stage.clock, tools=tools),
        ) as runtime,
    ):
        yield Theatre(stage, runtime)
