"""What the sandbox adds to a command, what verifying it costs at start, and how a fork flood ends.

A command is `true`, run turn about through the same runner (bounds, counting, output) in the
sandbox and without one; medians, because other work on the machine only ever adds. Verification
is that of a fresh process: the sandbox tries itself, and a layout with kept paths is tried from
inside. In a flood processes are counted from outside every 20 ms, while `true` is started again and
again by a process of its own.

    python -m benchmarks.sandbox [--commands 60] [--no-floods] [--json]

On a busy machine `chrt -f 5` before it (as root) shows what a quiet one would, without floods.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from noctule.core.clock import SystemClock
from noctule.core.settings.tools import ToolsSettings
from tools.base.workspace import Workspace
from tools.sandbox.mounts import mounts_of
from tools.sandbox.sandbox import Sandbox
from tools.shell.command_tool import environment
from tools.shell.processes import Bounds, ProgramRun, limited, run_bounded

SETTINGS = ToolsSettings()
BOUNDS = Bounds(seconds=60, memory_bytes=2**31, file_bytes=2**30)
CLOCK = SystemClock()
FLOODS = {
    "a shell's": "bomb() { bomb | bomb & }; bomb; wait; sleep 20",
    "each in a session": f"{sys.executable} -c '"
    "import os\nwhile 1:\n try: os.fork() or os.setsid()\n except OSError: pass'",
}
MILLISECONDS = 1000


async def run(argv: list[str], root: Path, sandbox: Sandbox | None) -> float:
    """Run a program; return how long it took, in seconds."""
    begun = time.perf_counter()
    env = environment(contained=True, folder=root)
    words = limited(argv, BOUNDS, contained=True)
    if sandbox is not None:
        words = sandbox.wrapped(words, Workspace(root, 2**30), env)
    await run_bounded(ProgramRun(words, root, env, contained=True), BOUNDS, CLOCK)
    return time.perf_counter() - begun


async def measure_commands(root: Path, count: int) -> list[dict[str, Any]]:
    sandbox = Sandbox(SETTINGS)
    both: dict[str, list[float]] = {"without": [], "in the sandbox": []}
    for number in range(count + 1):
        for what, found in both.items():
            took = await run(["/bin/true"], root, sandbox if what != "without" else None)
            if number:  # the first warms up
                found.append(took)
    return [
        {"what": what, "median_ms": statistics.median(took) * MILLISECONDS,
         "best_ms": min(took) * MILLISECONDS}
        for what, took in both.items()
    ]  # fmt: skip


def verify(root: Path) -> float:
    """Return how long a fresh process takes to try the sandbox and a layout, in seconds."""
    workspace = Workspace(root, 2**30, own=False)
    kept = [root / "config.yaml", root / "tools"]
    mounts = mounts_of(root, writable=True, kept=kept)
    begun = time.perf_counter()
    sandbox = Sandbox(SETTINGS)
    if sandbox.flaw is not None:
        raise SystemExit(sandbox.flaw)
    sandbox.prove(workspace, mounts)
    return time.perf_counter() - begun


def measure_verification(root: Path) -> float:
    (root / "tools").mkdir()
    (root / "config.yaml").touch()
    program = "import sys; from pathlib import Path; from benchmarks.sandbox import verify; "
    program += "print(verify(Path(sys.argv[1])))"
    command = [sys.executable, "-c", program, str(root)]
    folder = Path(__file__).parents[1]
    took = [float(subprocess.check_output(command, cwd=folder)) for _ in range(5)]
    return statistics.median(took)


def start_again_and_again(over: Event, told: "multiprocessing.Queue[Any]") -> None:
    os.setsid()
    slowest = 0.0
    while not over.is_set():
        begun = time.perf_counter()
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        slowest = max(slowest, time.perf_counter() - begun)
        time.sleep(0.02)
    told.put(slowest)


def count(over: Event, told: "multiprocessing.Queue[Any]", before: int) -> None:
    """Count what the machine has more than before; tell the most, and how long there were many."""
    os.setsid()
    most, full, ended = 0, None, None
    while not over.is_set():
        found, now = processes() - before, time.perf_counter()
        most = max(most, found)
        if full is None and found > 230:
            full = now
        if full is not None and ended is None and found < 60:
            ended = now
        time.sleep(0.02)
    told.put((most, None if full is None or ended is None else ended - full))


def processes() -> int:
    return sum(name.isdigit() for name in os.listdir("/proc"))  # noqa: PTH208 - as quick as can be


async def measure_flood(root: Path, what: str) -> dict[str, Any]:
    over = multiprocessing.Event()
    started: multiprocessing.Queue[Any] = multiprocessing.Queue()
    counted: multiprocessing.Queue[Any] = multiprocessing.Queue()
    before = processes() + 2
    beside = [
        multiprocessing.Process(target=start_again_and_again, args=(over, started)),
        multiprocessing.Process(target=count, args=(over, counted, before)),
    ]
    for process in beside:
        process.start()
    await run(["/bin/bash", "-c", FLOODS[what]], root, Sandbox(SETTINGS))
    await CLOCK.sleep(0.5)
    over.set()
    most, took = counted.get()
    slowest = started.get()
    for process in beside:
        process.join()
    return {"what": what, "most": most, "ended_after_s": took, "slowest_true_s": slowest}


def measure(commands: int, floods: Sequence[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        load = os.getloadavg()[0]
        steps = asyncio.run(measure_commands(root, commands))
        verification = measure_verification(root)
        ended = [asyncio.run(measure_flood(root, what)) for what in floods]
    return {"load": load, "commands": steps, "verification_s": verification, "floods": ended}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox", description=__doc__)
    parser.add_argument("--commands", type=int, default=60)
    parser.add_argument("--no-floods", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    found = measure(given.commands, [] if given.no_floods else list(FLOODS))
    if given.json:
        print(json.dumps(found, indent=2))
        return 0
    without, inside = (row["median_ms"] for row in found["commands"])
    print(f"load of the machine before: {found['load']:.1f}")
    for row in found["commands"]:
        print(f"{row['what']:<20} {row['median_ms']:>7.1f} ms, at best {row['best_ms']:.1f}")
    print(f"{'over it':<20} {inside - without:>7.1f} ms, {inside / without:.1f} times")
    print(f"{'verification':<20} {found['verification_s'] * MILLISECONDS:>7.0f} ms")
    for row in found["floods"]:
        ended = row["ended_after_s"]
        print(f"flood, {row['what']:<20} most {row['most']}, ended after "
              f"{'less than was seen' if ended is None else f'{ended:.2f} s'}, slowest true "
              f"{row['slowest_true_s']:.2f} s")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
