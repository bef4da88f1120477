"""The memory of a worker with many chats: resident megabytes while it answers turn after turn.

A real worker (engine, graph, savers, database, events) on a SQLite data folder answers with a
scripted model. Conversations grow as they do in use; what is resident is printed on the way.

    python -m benchmarks.memory [--chats 20] [--turns 2000] [--reply 600] [--json]
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from noctule.bootstrap import Runtime, open_records, open_runtime, open_worker
from noctule.config import Loaded
from noctule.core.clock import SystemClock
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind, Turn
from noctule.core.settings import Settings
from noctule.heap import settle_heap
from noctule.sessions.service.service import Request

CLOCK = SystemClock()
ROLES = ("chat", "orchestrator", "engineer", "research", "writer", "utility")
_STEPS = 10


def _configure(home: Path, reply: int) -> Loaded:
    home.mkdir(parents=True, exist_ok=True)
    script = home / "script.yaml"
    said = ("The bats leave the roof at dusk and come back before the sun is up. " * 99)[:reply]
    script.write_text(json.dumps({"models": {"instant": [{"reply": said, "times": "forever"}]}}))
    settings = Settings.model_validate(
        {
            "endpoints": {"play": {"kind": "scripted", "script": str(script)}},
            "models": {"instant": {"endpoint": "play", "name": "instant", "context": 128_000}},
            "roles": {role: {"primary": "instant", "tools": []} for role in ROLES},
            "limits": {"queue_timeout": "60s"},
        }
    )
    return Loaded(settings, home / "config.yaml", home)


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this benchmark reads /proc and needs Linux")


async def _round(runtime: Runtime, chats: list[str | None], number: int) -> None:
    """Say something in every chat and wait until each has its answer."""
    turns: list[Turn] = []
    for place, session_id in enumerate(chats):
        text = f"hello for the {number}th time, what do the bats do tonight at place {place}?"
        said = Request(text, session_id=session_id, kind=SessionKind.CHAT, role="chat")
        turn = await runtime.records.service.submit(said)
        chats[place] = turn.session_id
        turns.append(turn)
    while turns:
        await CLOCK.sleep(0.02)
        async with runtime.records.database.read() as work:
            now = [await work.turns.get(turn.id) for turn in turns]
        assert not any(turn.status is Status.FAILED for turn in now), now
        turns = [turn for turn in now if not turn.status.finished]


async def _measure(chats: int, turns: int, reply: int) -> dict[str, Any]:
    rounds = turns // chats
    with tempfile.TemporaryDirectory() as folder:
        loaded = _configure(Path(folder) / "home", reply)
        async with (
            open_records(loaded) as records,
            open_runtime(records) as runtime,
            open_worker(runtime),
        ):
            settle_heap()
            sessions: list[str | None] = [None] * chats
            seen = [{"turns": 0, "resident_mb": round(_resident_mb(), 1)}]
            for number in range(1, rounds + 1):
                await _round(runtime, sessions, number)
                if number % max(1, rounds // _STEPS) == 0:
                    shown = {"turns": number * chats, "resident_mb": round(_resident_mb(), 1)}
                    seen.append(shown)
                    print(shown, file=sys.stderr, flush=True)
    return {"chats": chats, "reply_characters": reply, "seen": seen}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--chats", type=int, default=20)
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--reply", type=int, default=600, help="characters of an answer")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    figures = asyncio.run(_measure(given.chats, given.turns, given.reply))
    if given.json:
        print(json.dumps(figures))
        return 0
    first, last = figures["seen"][0], figures["seen"][-1]
    for shown in figures["seen"]:
        print(f"{shown['turns']:6} turns {shown['resident_mb']:8.1f} MB")
    grown = last["resident_mb"] - first["resident_mb"]
    print(f"{last['resident_mb']:.0f} MB after {last['turns']} turns, {grown:.0f} MB of them grown")
    return 0


if __name__ == "__main__":
    sys.exit(main())
