"""A worker that is killed just before its n-th commit, for one n after another.

Every commit counts that changes something in any of the three databases (records, checkpoints,
engine), so that the points lie between all that is ever stored: before and after a task's writes,
its checkpoint, a park, its drive, a wake, the end of a turn.

    python tests/support/crash_sweep.py --folder DIR --url URL --points 3,17

Each point is a data folder of its own in which a worker is killed, then another works on until
every turn has ended. The provider at the URL is to refuse the first request for ``writer`` of each
task. Prints a JSON line per point; point 0 kills nobody and tells how many commits there are.
"""

import argparse
import asyncio
import importlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from noctule.bootstrap import open_records, open_runtime, open_worker
from noctule.config import Loaded, load
from noctule.core.clock import SystemClock
from noctule.core.sessions.sessions import SessionKind
from noctule.sessions.service.service import Request
from tests.support.command_line import ROLES, CommandLine
from tests.support.workshop import SAYINGS

KINDS = ("sequence", "greeting")
"""What the two turns of a session are."""

_WORKER_SECONDS = 90
_LOADED_BY_WORKERS = (
    "graphs.turn",
    "langchain_openai",
    "noctule.models.binding.models",
    "noctule.sessions.workers.worker",
)


class Commits:
    """Counts the commits of this process that change something; may end it at one of them.

    Args:
        last: the commit before which the process is killed; 0 kills nobody.
    """

    def __init__(self, last: int) -> None:
        self.count = 0
        self._last = last
        self._connect = sqlite3.dbapi2.connect

    def watch(self) -> None:
        """Watch every connection that is opened from now on."""
        sqlite3.connect = self._watched  # type: ignore[assignment]  # same signature
        sqlite3.dbapi2.connect = self._watched  # type: ignore[assignment]  # likewise

    def _watched(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = self._connect(*args, **kwargs)
        changes = connection.total_changes

        def traced(statement: str) -> None:
            nonlocal changes
            if statement.startswith("COMMIT") and connection.total_changes != changes:
                changes = connection.total_changes
                self.count += 1
                if self.count == self._last:
                    os.kill(os.getpid(), signal.SIGKILL)

        connection.set_trace_callback(traced)
        return connection


async def _submit(loaded: Loaded, task: str) -> None:
    async with open_records(loaded) as records:
        session_id = None
        for kind, letter in zip(KINDS, "ab", strict=True):
            turn = await records.service.submit(
                Request(SAYINGS[kind](task + letter), kind=SessionKind.RUN, session_id=session_id)
            )
            session_id = turn.session_id


async def _work(loaded: Loaded) -> None:
    async with (
        asyncio.timeout(_WORKER_SECONDS),
        open_records(loaded) as records,
        open_runtime(records) as runtime,
        open_worker(runtime),
    ):
        while True:
            async with records.database.read() as work:
                if not await work.turns.count_unfinished():
                    break
            await SystemClock().sleep(0.02)


async def _outcome(loaded: Loaded) -> list[dict[str, Any]]:
    async with open_records(loaded) as records, records.database.read() as work:
        (session,) = await work.sessions.list()
        return [
            {"status": turn.status.value, "reply": turn.reply}
            for turn in await work.turns.of_session(session.id)
        ]


def in_child(work: Callable[[], Coroutine[Any, Any, Any]], last: int = 0) -> tuple[int, Any]:
    """Do something in a process of its own; return its exit code and what it returned.

    A fork: the imports, which take longer than everything else, are there already.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_do(work, last, writing))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), json.loads(text) if text else None


def _do(work: Callable[[], Coroutine[Any, Any, Any]], last: int, writing: int) -> int:
    commits = Commits(last)
    commits.watch()
    try:
        told = asyncio.run(work())
        os.write(writing, json.dumps({"commits": commits.count, "told": told}).encode())
    except BaseException:  # noqa: BLE001 - a fork must never go on where its parent would
        traceback.print_exc()
        return 1
    finally:
        sys.stderr.flush()
    return 0


def _prepare(folder: Path, url: str) -> Loaded:
    folder.mkdir(parents=True)
    command_line = CommandLine(folder)
    path = command_line.configure(
        {
            "endpoints": {"shop": {"kind": "openai", "url": url, "local": True}},
            "models": {"loop": {"endpoint": "shop", "name": "loop", "context": 32000}},
            "roles": {role: {"primary": "loop"} for role in ROLES},
            "limits": {"queue_timeout": "0s"},
        }
    )
    return load(path, environ=command_line.env)


def _try(folder: Path, url: str, point: int) -> dict[str, Any]:
    task = f"t{point:03d}"
    loaded = _prepare(folder / task, url)
    shutil.copytree(folder / "template" / "home", loaded.home)
    in_child(lambda: _submit(loaded, task))
    killed, told = in_child(lambda: _work(loaded), point)
    commits = None if told is None else told["commits"]
    finished = killed
    if killed == -signal.SIGKILL:
        finished, _ = in_child(lambda: _work(loaded))
    _, outcome = in_child(lambda: _outcome(loaded))
    return {
        "point": point,
        "killed": killed == -signal.SIGKILL,
        "finished": finished,
        "commits": commits,
        "turns": None if outcome is None else outcome["told"],
    }


def _main() -> None:
    parser = argparse.ArgumentParser(description="kills a worker before its n-th commit")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--points", required=True, help="numbers with commas; a range like 1-80")
    options = parser.parse_args()
    for name in _LOADED_BY_WORKERS:  # once, before the forks
        importlib.import_module(name)
    template = _prepare(options.folder / "template", options.url)
    in_child(lambda: _work(template))  # makes the databases once, to be copied
    for part in options.points.split(","):
        first, _, last = part.partition("-")
        for point in range(int(first), int(last or first) + 1):
            print(json.dumps(_try(options.folder, options.url, point)), flush=True)  # noqa: T201 - whoever started it reads this


if __name__ == "__main__":
    _main()
