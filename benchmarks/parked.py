"""Many sessions asleep: what a worker costs while they sleep, and how late it wakes them.

A data folder with parked turns, each with the delayed drive its park left in the engine, is
served by a real ``noctule serve``. First nothing is due: CPU and memory of the idle worker over
some seconds. Then some of them fall due, twenty a second: how much later than its moment each
goes on, from its ``woken`` event. Their model is scripted and answers at once.

    python -m benchmarks.parked [--parked 10000] [--wakes 400] [--idle 20] [--json]
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from noctule.bootstrap import Records, open_records
from noctule.config import Loaded, load
from noctule.core.base.ids import new_id
from noctule.core.clock import SystemClock
from noctule.core.llm.events import EventKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking, ParkingKind
from noctule.core.sessions.sessions import Session, SessionKind, Turn
from noctule.core.workers.patience import Patience
from noctule.sessions.workers.dispatcher import wake_drive
from noctule.sessions.workers.engine import Engine

FAR = timedelta(hours=5)
BETWEEN = timedelta(milliseconds=50)
NAMES = ("chat", "orchestrator", "engineer", "research", "writer", "utility")
CLOCK = SystemClock()


def _configure(home: Path) -> Loaded:
    lines = {"models": {"instant": [{"reply": "Good evening.", "times": "forever"}]}}
    (home / "script.yaml").write_text(json.dumps(lines))
    path = home / "config.yaml"
    role = {"primary": "instant"}
    path.write_text(
        json.dumps(
            {
                "endpoints": {"play": {"kind": "scripted", "script": "script.yaml"}},
                "models": {"instant": {"endpoint": "play", "name": "instant"}},
                "roles": dict.fromkeys(NAMES, role),
                "parking": {"max_unfinished": 100_000},
            }
        )
    )
    return load(path, environ={"NOCTULE_HOME": str(home)})


async def _park(records: Records, count: int, first: datetime, between: timedelta) -> list[Turn]:
    """Store parked turns, as their parks would have."""
    turns = []
    async with records.database.work() as work:
        for number in range(count):
            now, wake_at = CLOCK.now(), first + number * between
            session = Session(new_id(CLOCK), "local", SessionKind.RUN, "asleep", now)
            turn = Turn(
                id=new_id(CLOCK),
                session_id=session.id,
                text="hello",
                status=Status.PARKED,
                created_at=now,
                role="chat",
                started_at=now,
                wake_at=wake_at,
            )
            await work.sessions.add(session)
            await work.turns.add(turn)
            await work.parkings.add(
                Parking(
                    id=new_id(CLOCK),
                    turn_id=turn.id,
                    session_id=session.id,
                    kind=ParkingKind.LIMIT,
                    reason="not now",
                    parked_at=now,
                    wake_at=wake_at,
                )
            )
            turns.append(turn)
        await work.commit()
    return turns


async def _leave_drives(home: Path, turns: Sequence[Turn]) -> float:
    """Enqueue the drive of each, as its park does; return the seconds of one."""

    async def nobody(_: str) -> list[Any]:
        return []

    engine = Engine(
        url="sqlite",
        home=home,
        executor="local",
        most_turns=1,
        clock=CLOCK,
        patience=Patience(CLOCK),
    )
    await engine.launch(nobody)
    begun = CLOCK.monotonic()
    for turn in turns:
        await engine.enqueue(wake_drive(turn))
    seconds = CLOCK.monotonic() - begun
    await engine.close()
    return seconds / len(turns)


class _Serve:
    """A ``noctule serve`` and what the system knows of it."""

    def __init__(self, process: "asyncio.subprocess.Process") -> None:
        self._process = process

    @classmethod
    async def start(cls, home: Path) -> tuple["_Serve", float]:
        """Start one; return it with the seconds until it serves."""
        begun = CLOCK.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "noctule", "--config", str(home / "config.yaml"), "serve"),
            env={**os.environ, "NOCTULE_HOME": str(home)},
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        assert process.stderr is not None
        line = (await process.stderr.readline()).decode()
        assert line.startswith("Serving"), line + (await process.stderr.read()).decode()
        serve = cls(process)
        serve.reading = asyncio.create_task(_read_away(process.stderr))
        return serve, CLOCK.monotonic() - begun

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    async def stop(self) -> float:
        """Stop it with SIGTERM; return the seconds it took."""
        begun = CLOCK.monotonic()
        self._process.send_signal(signal.SIGTERM)
        assert await self._process.wait() == 0
        await self.reading
        return CLOCK.monotonic() - begun


async def _read_away(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass


async def _until_finished(records: Records, turns: Sequence[Turn]) -> None:
    async with asyncio.timeout(120 + len(turns)):
        while True:
            async with records.database.read() as work:
                if (await work.turns.get(turns[-1].id)).status is Status.DONE:
                    states = [(await work.turns.get(turn.id)).status for turn in turns]
                    if all(state is Status.DONE for state in states):
                        return
            await CLOCK.sleep(0.2)


async def _lateness(records: Records, turns: Sequence[Turn]) -> list[float]:
    late = []
    async with records.database.read() as work:
        for turn in turns:
            events = await work.events.after(turn.session_id, 0)
            (woken,) = [event.at for event in events if event.kind is EventKind.WOKEN]
            assert turn.wake_at is not None
            late.append((woken - turn.wake_at).total_seconds())
    return sorted(late)


async def measure(home: Path, *, parked: int, wakes: int, idle_s: float) -> dict[str, float]:
    """Return the figures of one run in an empty folder."""
    loaded = _configure(home)
    async with open_records(loaded) as records:
        asleep = await _park(records, parked - wakes, CLOCK.now() + FAR, timedelta(0))
        enqueue_s = await _leave_drives(home, asleep)
        serve, start_s = await _Serve.start(home)
        await CLOCK.sleep(5)  # what it does at its start is over
        before, begun = serve.cpu_seconds(), CLOCK.monotonic()
        await CLOCK.sleep(idle_s)
        cpu = (serve.cpu_seconds() - before) / (CLOCK.monotonic() - begun)
        due = await _park(records, wakes, CLOCK.now() + timedelta(seconds=8), BETWEEN)
        busy_before, busy_begun = serve.cpu_seconds(), CLOCK.monotonic()
        await _until_finished(records, due)
        busy = (serve.cpu_seconds() - busy_before) / (CLOCK.monotonic() - busy_begun)
        late = await _lateness(records, due)
        figures = {
            "parked": parked,
            "start_s": start_s,
            "idle_cpu_percent": 100 * cpu,
            "memory_mb": serve.memory_mb(),
            "wakes": wakes,
            "late_p50_s": late[len(late) // 2],
            "late_p99_s": late[len(late) * 99 // 100],
            "late_most_s": late[-1],
            "waking_cpu_percent": 100 * busy,
            "enqueue_ms": 1000 * enqueue_s,
            "stop_s": await serve.stop(),
        }
    return {name: round(value, 3) for name, value in figures.items()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parked", description=__doc__)
    parser.add_argument("--parked", type=int, default=10_000, help="sessions asleep in all")
    parser.add_argument("--wakes", type=int, default=400, help="how many of them wake")
    parser.add_argument("--idle", type=float, default=20, help="seconds of doing nothing")
    parser.add_argument("--json", action="store_true", help="print one document")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="noctule-parked-") as home:
        figures = asyncio.run(
            measure(Path(home), parked=given.parked, wakes=given.wakes, idle_s=given.idle)
        )
    if given.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value:>10}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
