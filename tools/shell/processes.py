"""Processes: running a program within bounds of time, memory, output, files and processes.

Nothing here trusts the program: it may never end, ignore SIGTERM, print without end, start
processes without end or leave some behind. Whatever it does, when ``run_bounded`` returns, all that
it started is dead and what is known of it is a few hundred kilobytes.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from noctule.core.base.private_files import persons_umask
from noctule.core.clock import Clock
from tools.base.workspace import readable_size
from tools.shell.cgroups import Cgroups, ControlGroup
from tools.shell.holdings import Holdings, held_by, memory_is_short
from tools.shell.output import Output
from tools.shell.process_tree import ProcessTree

MOST_PROCESSES = 240
"""How many processes a command may have at a time; with one more it is ended."""

MOST_OUTPUT_BYTES = 64 * 1024 * 1024
"""After how much output a command is ended."""

_GRACE_SECONDS = 2.0
_LOOK_INSIDE_SECONDS = 0.025
_LOOK_SECONDS = 0.5  # all processes of the machine are looked at
_COUNT_SECONDS = 0.1
_REST = 10  # counting what is held takes at most a tenth of the time
_MOST_REST_SECONDS = 1.0
_SPARE_PROCESSES = 4  # what the system allows over the bound, so that a flood shows
_BUBBLEWRAPS = 2  # outside of the user namespace in which the system's bound is set
_GROUPS = Cgroups()
_MARK = "NOCTULE_COMMAND"
_TOGETHER = 2
_KILOBYTE, _BLOCK = 1024, 512  # the units of `ulimit -d` and of `ulimit -f` in POSIX shells

_LIMITS = """\
ulimit -c 0 2>/dev/null
ulimit -d {data} 2>/dev/null
ulimit -f {file} 2>/dev/null
ulimit -t {cpu} 2>/dev/null
{processes}
echo 1000 2>/dev/null >/proc/self/oom_score_adj
exec {nice}"$@"
"""
_NICE = next((f"{one} -n 10 " for one in ("/usr/bin/nice", "/bin/nice") if Path(one).exists()), "")
_PROCESS_LIMIT = "ulimit -u {count} 2>/dev/null || ulimit -p {count} 2>/dev/null"


Watch = Callable[[int], str | None]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a command may use.

    Args:
        seconds: wall time.
        memory_bytes: of one process; all of them together may hold twice as much, with what they
            share, files in memory, and all of /tmp and /dev/shm in a sandbox.
        file_bytes: the largest file it may write.
        processes: how many it may have at a time.
        output_bytes: after how much output it is ended.
    """

    seconds: float
    memory_bytes: int
    file_bytes: int
    processes: int = MOST_PROCESSES
    output_bytes: int = MOST_OUTPUT_BYTES


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """A program to run.

    Args:
        argv: the program and its arguments.
        folder: where it runs.
        env: its environment, all of it.
        contained: True when nothing it starts can outlive its first process, as in a sandbox.
    """

    argv: Sequence[str]
    folder: Path
    env: Mapping[str, str]
    contained: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Args:
        exit_code: its own; None when a signal ended it.
        signal_name: the signal that ended it, like ``SIGKILL``; None when none did.
        stopped: why it was ended before it was done; None when it ended by itself.
        output: stdout and stderr in the order they came, bounded.
        duration_s: wall time.
    """

    exit_code: int | None
    signal_name: str | None
    stopped: str | None
    output: str
    duration_s: float


def limited(argv: Sequence[str], bounds: Bounds, *, contained: bool) -> list[str]:
    """Return a command that sets bounds on itself and then becomes another.

    The memory that counts is what a process may write to (RLIMIT_DATA): a bound on its address
    space would keep Java and Go from starting, which reserve much more than they use.

    Args:
        argv: the other command.
        bounds: those a process can be given by the system.
        contained: in a user namespace of its own, where a bound on processes counts those alone.
    """
    most = bounds.processes + _SPARE_PROCESSES
    script = _LIMITS.format(
        data=_within(resource.RLIMIT_DATA, bounds.memory_bytes) // _KILOBYTE,
        file=_within(resource.RLIMIT_FSIZE, bounds.file_bytes) // _BLOCK,
        cpu=int(bounds.seconds * (os.cpu_count() or 1)) + 1,
        nice=_NICE,
        processes=_PROCESS_LIMIT.format(count=most) if contained else "",
    )
    return ["/bin/sh", "-c", script, "sh", *argv]


async def run_bounded(
    order: ProgramRun,
    bounds: Bounds,
    clock: Clock,
    watch: Watch | None = None,
    groups: Cgroups = _GROUPS,
) -> Ended:
    """Run a program until it ends or has to be ended.

    Args:
        order: what to run; see ``limited`` for the bounds it sets on itself.
        bounds: those that are watched from outside.
        clock: wall time.
        watch: looks, in a thread and over and over, whether it must be ended, and says why; it is
            given how many bytes of the disk lie in deleted files that are still open.
        groups: where cgroups can be made, if they can.

    Raises:
        OSError: it could not be started.
    """
    mark = f"{_MARK}={uuid4().hex}"
    name, _, value = mark.partition("=")
    read_end, write_end = os.pipe()
    begun = clock.monotonic()
    group = _grouped(bounds, groups) if order.contained else None
    argv = list(order.argv) if order.contained else _supervised(order.argv)
    try:
        process = await asyncio.create_subprocess_exec(
            *(argv if group is None else group.entering(argv)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            cwd=order.folder,
            env={**order.env, name: value},
            start_new_session=True,
            umask=persons_umask(),
        )
    except BaseException:
        os.close(read_end)
        if group is not None:
            group.remove()
        raise
    finally:
        os.close(write_end)
    run = _Run(process, None if order.contained else mark, bounds, clock)
    try:
        stopped = await run.supervise(read_end, watch)
        if stopped is None and group is not None:
            stopped = group.excess()
    finally:
        if group is not None:
            await asyncio.to_thread(group.remove)
    code = process.returncode
    signalled = code is not None and code < 0
    return Ended(
        exit_code=None if signalled else code,
        signal_name=signal.Signals(-code).name if code is not None and code < 0 else None,
        stopped=stopped,
        output=run.output.text(),
        duration_s=clock.monotonic() - begun,
    )


def _grouped(bounds: Bounds, groups: Cgroups) -> ControlGroup | None:
    return groups.made(
        memory_bytes=_TOGETHER * bounds.memory_bytes,
        processes=bounds.processes + _SPARE_PROCESSES + _BUBBLEWRAPS,
    )


def _supervised(argv: Sequence[str]) -> list[str]:
    """Return the command that runs another one and takes in what that one would orphan."""
    if sys.platform != "linux":
        return list(argv)
    script = Path(__file__).with_name("child_supervisor.py")
    return [sys.executable, "-I", "-S", str(script), *argv]


class _Run(asyncio.Protocol):
    """A program that runs, and the end of the pipe that it prints into."""

    def __init__(
        self, process: asyncio.subprocess.Process, mark: str | None, bounds: Bounds, clock: Clock
    ) -> None:
        self.output = Output()
        self._process = process
        self._contained = mark is None
        self._tree = ProcessTree(process.pid, mark)
        self._bounds = bounds
        self._clock = clock
        self._urgent = False
        self._flooded = asyncio.Event()
        self._silent = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Keep what was printed, unless it is enough."""
        if not self._flooded.is_set():
            self.output.add(data)
        if self.output.total > self._bounds.output_bytes:
            self._urgent = True
            self._flooded.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nobody can print any more."""
        self._silent.set()

    async def supervise(self, read_end: int, watch: Watch | None) -> str | None:
        """Wait for the end, or bring it about; return why in that case."""
        loop = asyncio.get_running_loop()
        pipe, _ = await loop.connect_read_pipe(lambda: self, os.fdopen(read_end, "rb", 0))
        try:
            stopped = await self._until_ended(watch)
            if not self._contained:
                await asyncio.to_thread(self._tree.kill)
            elif stopped is not None:
                self._tree.kill()  # a moment, and needs no thread
            await self._until(self._silent.wait(), _GRACE_SECONDS)
        except BaseException:
            self._tree.kill()
            raise
        finally:
            pipe.close()
            await self._process.wait()
        return stopped

    async def _until_ended(self, watch: Watch | None) -> str | None:
        tasks = [
            asyncio.ensure_future(each)
            for each in (
                self._process.wait(),
                self._late(),
                self._flood(),
                self._crowd(),
                self._excess(watch),
            )
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            why = next((str(task.result()) for task in tasks[1:] if task.done()), None)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if why is not None and not self._urgent:
            await asyncio.to_thread(self._tree.terminate)
            await self._until(self._process.wait(), _GRACE_SECONDS)
        return why

    async def _late(self) -> str:
        await self._clock.sleep(self._bounds.seconds)
        return f"it ran longer than {self._bounds.seconds:g} s"

    async def _flood(self) -> str:
        await self._flooded.wait()
        return f"it printed more than {readable_size(self._bounds.output_bytes)}"

    async def _crowd(self) -> str:
        """Count the processes; nothing that takes longer holds this up, for they may be a flood."""
        while True:
            await self._clock.sleep(_LOOK_INSIDE_SECONDS if self._contained else _LOOK_SECONDS)
            find = self._found  # in a sandbox it takes a moment, and must not wait for a thread
            found = find() if self._contained else await asyncio.to_thread(find)
            why = None
            if len(found) > (most := self._bounds.processes):
                why = f"it had more than {most} processes"
            elif memory_is_short():
                why = "this machine had almost no memory left"
            if why is not None:
                self._urgent = True
                return why

    async def _excess(self, watch: Watch | None) -> str:
        """Count what they hold, and whatever else is watched."""
        rest = _COUNT_SECONDS
        while True:
            await self._clock.sleep(rest)
            begun = self._clock.monotonic()
            held = await asyncio.to_thread(self._counted)
            why = self._too_much(held)
            if why is None and watch is not None:
                why = await asyncio.to_thread(watch, held.unlinked_bytes)
            if why is not None:
                self._urgent = True
                return why
            rest = _REST * (self._clock.monotonic() - begun)
            rest = min(max(_COUNT_SECONDS, rest), _MOST_REST_SECONDS)

    def _found(self) -> list[Path]:
        """Return the folders in a /proc of the command's processes."""
        if self._contained:
            return self._tree.inside(self._bounds.processes)
        return [Path("/proc") / str(pid) for pid in self._tree.members()]

    def _counted(self) -> Holdings:
        try:
            root = self._tree.inner_root() if self._contained else None
        except OSError:
            return Holdings()
        return held_by(self._found(), root, _TOGETHER * self._bounds.memory_bytes)

    def _too_much(self, held: Holdings) -> str | None:
        most = _TOGETHER * self._bounds.memory_bytes
        if held.memory_bytes > most:
            return f"its processes held more than {readable_size(most)} of memory together"
        return None if held.complete else "its memory lay in too many pieces to be counted"

    async def _until(self, something: Coroutine[Any, Any, object], seconds: float) -> None:
        """Wait for something, but not for ever."""
        both = [asyncio.ensure_future(each) for each in (something, self._clock.sleep(seconds))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)


def _within(limit: int, wanted: int) -> int:
    hard = resource.getrlimit(limit)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
