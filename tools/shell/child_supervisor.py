"""A program that runs another one and ends whatever that one leaves behind.

For commands without a sandbox. A process that leaves its session, drops its environment and loses
its parent has nothing left by which it could be found; but on Linux it becomes a child of this
program, which is its nearest ancestor that takes in orphans (PR_SET_CHILD_SUBREAPER, prctl(2)).
It needs the standard library alone.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

_PR_SET_CHILD_SUBREAPER = 36
_NOT_FOUND = 127
_PPID = 1  # a field of /proc/PID/stat after the name: see proc(5)


def main(argv: Sequence[str]) -> NoReturn:
    """Run a program, end what it leaves behind, and end as it did.

    Args:
        argv: the program, by its path or its name on PATH, and its arguments.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, signal.SIG_IGN)  # it has to outlive what it runs
    first = os.fork()
    if first == 0:
        _become(argv)
    status = _ended(first)
    while left := _children():
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            for _ in left:
                os.wait()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with suppress(OSError, ValueError):  # SIGKILL has no handler to take back
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def _become(argv: Sequence[str]) -> NoReturn:
    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(asked, signal.SIG_DFL)
    with suppress(OSError):
        os.execvp(argv[0], list(argv))  # noqa: S606 - the command that a person allowed
    os._exit(_NOT_FOUND)


def _ended(first: int) -> int:
    while True:
        pid, status = os.wait()
        if pid == first:
            return status


def _children() -> list[int]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - as quick as can be
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123 - likewise
                if int(stat.read().rpartition(b")")[2].split()[_PPID]) == os.getpid():
                    found.append(int(name))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
