"""A worker that is killed at random moments while it carries many sessions; what came of them.

In a test::

    async with Chaos(tmp_path, seed=1, sessions=40) as chaos:
        await chaos.submit_all()
        await chaos.kill_at_random(times=4)
        await chaos.finish()
    chaos.check()
"""

import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from tests.support.rig import CLOCK, Rig
from tests.support.workshop import SAYINGS, STEPS, Asked, Step, read_log, reply_to, running_workshop

_STORED_WITHIN = 0.5
"""Seconds after an answer was sent within which its checkpoint must be stored, on a machine that
does a lot at once; an answer younger than this at a kill was in flight."""

_READ_WITHIN = timedelta(seconds=3)


@dataclass
class Task:
    """One turn and what must come of it."""

    name: str
    kind: str
    turn: Turn


@dataclass
class Figures:
    """What happened in all."""

    turns: int = 0
    requests: int = 0
    kills: int = 0
    repeated_in_flight: int = 0
    refused: int = 0
    oldest_repeated_s: float = 0.0


class Chaos:
    """One data folder, one provider, one worker at a time.

    Args:
        folder: an empty one.
        seed: of everything that is random here.
        sessions: how many; every third says a second thing while its first is carried.
        refuse_every: every so manieth request is refused for two seconds; 0 refuses none.
        pace: seconds an answer takes, about.
        most_life: seconds a worker lives at most once it works.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        sessions: int = 40,
        refuse_every: int = 30,
        pace: float = 0.3,
        most_life: float = 2.5,
    ) -> None:
        self._random = random.Random(seed)
        self._sessions = sessions
        self._folder = folder
        self._most_life = most_life
        self._log = folder / "requests.jsonl"
        self._workshop = {"refuse_every": refuse_every, "pace": pace}
        self._kills: list[datetime] = []
        self._open = AsyncExitStack()
        self._rig: Rig | None = None
        self.tasks: list[Task] = []
        self.figures = Figures()

    async def __aenter__(self) -> Self:
        url = self._open.enter_context(running_workshop(self._log, **self._workshop))
        self._rig = await self._open.enter_async_context(Rig(self._folder, url))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    @property
    def rig(self) -> Rig:
        """The data folder and its workers."""
        assert self._rig is not None
        return self._rig

    async def submit_all(self) -> None:
        """Say the first thing in every session."""
        for number in range(self._sessions):
            await self.submit(f"t{number:03d}a", list(STEPS)[number % len(STEPS)])

    async def submit(self, name: str, kind: str, session_id: str | None = None) -> Turn:
        """Say one thing."""
        turn = await self.rig.say(SAYINGS[kind](name), session_id)
        self.tasks.append(Task(name, kind, turn))
        return turn

    async def kill_at_random(self, times: int) -> None:
        """Start a worker and kill it at a random moment, several times; speak up in between."""
        again = [task for number, task in enumerate(self.tasks) if number % 3 == 0]
        for round_ in range(times):
            serving = await self.rig.serve()
            moment = self._random.uniform(0.05, self._most_life)
            await CLOCK.sleep(moment / 2)
            for task in again[round_::times]:
                kind = self._random.choice(list(STEPS))
                await self.submit(f"{task.name[:-1]}b", kind, task.turn.session_id)
            await CLOCK.sleep(moment / 2)
            self._kills.append(await serving.kill())

    async def finish(self) -> None:
        """Work on, unharmed, until every turn has ended; then stop with SIGTERM."""
        async with self.rig.serving():
            ends = (Status.DONE, Status.FAILED, Status.CANCELLED, Status.WAITING)
            await self.rig.until([task.turn for task in self.tasks], *ends)

    async def check(self) -> Figures:
        """Compare what came of every turn with what must; return the figures."""
        async with self.rig.records.database.read() as work:
            turns = {task.name: await work.turns.get(task.turn.id) for task in self.tasks}
        asked = read_log(self._log)
        answered: dict[str, set[str]] = {task.name: set() for task in self.tasks}
        for request in asked:
            if request.result == "answered":
                answered[request.step[0]].add(request.step[1])
        for task in self.tasks:
            turn, steps = turns[task.name], answered[task.name]
            assert turn.status is Status.DONE, (task.name, turn)
            kind = self._went(task, steps)
            assert turn.reply == reply_to(task.name, kind), (task.name, turn)
            assert steps - {"route"} == set(STEPS[kind]) - {"route"}, (task.name, steps)
        self._check_repeats(asked)
        self.figures.turns = len(turns)
        self.figures.requests = len(asked)
        self.figures.kills = len(self._kills)
        self.figures.refused = sum(request.result == "refused" for request in asked)
        return self.figures

    def _went(self, task: Task, steps: set[str]) -> str:
        """Return which way a task went: without a router that may be asked it goes to chat."""
        refusing = self._workshop["refuse_every"] > 0
        return "greeting" if refusing and task.kind == "fan-out" and "chat" in steps else task.kind

    def _check_repeats(self, asked: list[Asked]) -> None:
        last: dict[Step, Asked] = {}
        for request in asked:
            before = last.get(request.step)
            last[request.step] = request
            if before is None or before.result == "refused":
                continue
            age = self._age_at_kill(before, request)
            assert age is not None, f"{request.step} was asked for again: {before}, {request}"
            self.figures.repeated_in_flight += 1
            self.figures.oldest_repeated_s = max(self.figures.oldest_repeated_s, age)

    def _age_at_kill(self, before: Asked, again: Asked) -> float | None:
        """Return how old an answer was at a kill before it was asked for again.

        Zero or less while it was being sent; None when no kill explains that it was repeated.
        """
        for kill in self._kills:
            # A request that had just been sent is read by the provider after its sender is dead.
            if not before.started - _READ_WITHIN <= kill <= again.started:
                continue
            age = -1.0 if before.ended is None else (kill - before.ended).total_seconds()
            if age <= _STORED_WITHIN:
                return age
        return None
