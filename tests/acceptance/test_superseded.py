import asyncio
import re
import signal
from collections import Counter

import psycopg
import pytest

from noctule.core.llm.events import EventKind
from noctule.core.sessions.lifecycle import Status
from tests.support.provider import Provider, Request
from tests.support.replies import Reply, ToolCall
from tests.support.rig import CLOCK, Rig

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.timeout(300)]

PARTS = 6


class Books:
    """A provider that keeps its own: which part of which work was asked for, and how often.

    Args:
        pace: seconds an answer takes.
    """

    def __init__(self, pace: float) -> None:
        self.asked: Counter[tuple[str, int]] = Counter()
        self._pace = pace

    def decide(self, request: Request) -> Reply:
        """Have one file more written for each result there is, then end."""
        text = str(request.body["messages"])
        name = re.findall(r"work-\d", text)[0]
        part = sum(message["role"] == "tool" for message in request.body["messages"])
        self.asked[name, part] += 1
        if part >= PARTS:
            return Reply(text=f"{name} is done.", before_token=self._pace)
        arguments = {"path": f"{part}.txt", "content": f"{name} {part}\n"}
        call = ToolCall("write_file", arguments, f"call_{part}")
        return Reply(text="", tool_calls=(call,), before_token=self._pace)


def configuration(url: str) -> dict:
    return {
        "storage": {"url": url},
        "limits": {"queue_timeout": "0s", "max_turns": 4},
        "roles": {
            role: {"primary": "loop", "tools": ["files"] if role == "engineer" else []}
            for role in ("chat", "orchestrator", "engineer", "research", "writer", "utility")
        },
    }


async def check(rig: Rig, turns) -> None:
    """Each turn ended once, and each of its effects happened once."""
    for number, turn in enumerate(turns):
        now = await rig.turn(turn)
        assert (now.status, now.reply) == (Status.DONE, f"work-{number} is done."), now
        async with rig.records.database.read() as work:
            effects = await work.effects.of_session(turn.session_id)
        assert [dict(e.arguments)["path"] for e in effects] == [f"{p}.txt" for p in range(PARTS)]
        kinds = Counter(event.kind for event in await rig.events(turn.session_id))
        assert kinds[EventKind.TURN_ENDED] == 1
        assert kinds[EventKind.TURN_STARTED] == 1


async def test_lock_connections_that_are_cut_again_and_again_repeat_nothing(tmp_path, postgres_url):
    """Both workers are alive: what is cut is made again, no call is made twice."""
    books = Books(pace=0.4)
    async with Provider(decide=books.decide) as provider:
        config = configuration(postgres_url)
        async with Rig(tmp_path, provider.openai_url, **config) as rig:
            one, two = await asyncio.gather(rig.serve("worker"), rig.serve("worker"))
            turns = [await rig.say(f"work-{n} please", role="engineer") for n in range(6)]
            await provider.until(lambda provider: provider.busy > 2, within=60)
            for _ in range(12):
                await asyncio.to_thread(cut, postgres_url)
                await CLOCK.sleep(0.3)
            await rig.until(turns, Status.DONE, Status.FAILED, Status.WAITING)
            await check(rig, turns)
            assert await one.stop() == await two.stop() == 0
            repeated = {step: times for step, times in books.asked.items() if times > 1}
            assert sum(repeated.values()) - len(repeated) <= 1, (repeated, one.lines, two.lines)


def cut(url: str) -> None:
    """End every connection that holds an advisory lock, as an administrator or a pooler would."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND query NOT LIKE '%pg_terminate%'"
            " AND datname = current_database()"
        )


async def test_a_worker_that_freezes_and_thaws_later_finds_its_sessions_taken(
    tmp_path, postgres_url
):
    """Within thirty seconds another goes on from the last step; the thawed one stores nothing."""
    books = Books(pace=0.5)
    async with Provider(decide=books.decide) as provider:
        config = configuration(postgres_url)
        async with Rig(tmp_path, provider.openai_url, **config) as rig:
            one, two = await asyncio.gather(rig.serve("worker"), rig.serve("worker"))
            turns = [await rig.say(f"work-{n} please", role="engineer") for n in range(6)]
            await provider.until(lambda provider: provider.busy > 3, within=60)
            one.signal(signal.SIGSTOP)
            frozen_at = CLOCK.monotonic()
            await rig.until(turns, Status.DONE, Status.FAILED, Status.WAITING)
            assert CLOCK.monotonic() - frozen_at < 80
            one.signal(signal.SIGCONT)
            await CLOCK.sleep(3)
            await check(rig, turns)
            assert await one.stop() == await two.stop() == 0
            # Only what the frozen worker had in flight, four at most, is asked for again.
            repeated = {step: times for step, times in books.asked.items() if times > 1}
            assert len(repeated) <= 4, repeated
            assert set(repeated.values()) <= {2}, repeated
