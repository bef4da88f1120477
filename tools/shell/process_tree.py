"""ProcessTree: a process that was started, and everything it has started since."""

import os
import signal
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_ROUNDS = 50
_PPID, _SESSION = 1, 3  # fields of /proc/PID/stat after the name: see proc(5)


class ProcessTree:
    """A process and what it has started, dead parents notwithstanding.

    Args:
        root: its id; it leads a session of its own.
        mark: an entry of its environment, like ``NAME=value``, by which those are found that have
            left the session where orphans get lost; None in a sandbox, which ends with its first
            process.
    """

    def __init__(self, root: int, mark: str | None) -> None:
        self._root = root
        self._inside: Path | None = None
        self._mark = None if mark is None else mark.encode()

    def members(self) -> list[int]:
        """Return those that are alive; nothing where the system has no /proc.

        In a sandbox an orphan becomes a child of the sandbox's first process, so that all
        descend from the root; without one they keep the session, unless they left it.
        """
        known, ours = _processes(), {self._root}
        children: dict[int, list[int]] = {}
        for pid, (parent, session) in known.items():
            children.setdefault(parent, []).append(pid)
            if session == self._root:
                ours.add(pid)
        waiting = list(ours)
        while waiting:
            found = [pid for pid in children.get(waiting.pop(), ()) if pid not in ours]
            ours.update(found)
            waiting.extend(found)
        return [pid for pid in ours if pid in known]

    def inside(self, most: int) -> list[Path]:
        """Return those that are alive in a sandbox: their folders in the sandbox's own /proc.

        Looking there is quick however many processes the machine has.

        Args:
            most: at which number to stop counting.
        """
        found: list[Path] = []
        with suppress(OSError), os.scandir(self.inner_root() / "proc") as entries:
            for entry in entries:
                if len(found) > most:
                    break
                if entry.name.isdigit():
                    found.append(Path(entry.path))
        return found

    def inner_root(self) -> Path:
        """Return the root folder that the processes in a sandbox see.

        Raises:
            ProcessLookupError: it has none yet, or has ended.
        """
        if self._inside is None:
            first = [pid for pid, (parent, _) in _processes().items() if parent == self._root]
            if not first:
                raise ProcessLookupError
            inside = _PROC / str(first[0]) / "root"
            if (inside / "proc" / str(self._root)).exists():
                raise ProcessLookupError  # it has not moved into its own root yet
            self._inside = inside
        return self._inside

    def terminate(self) -> None:
        """Ask all to end but the root, which ends when they have."""
        for pid in self.members():
            if pid != self._root:
                _send(pid, signal.SIGTERM)

    def kill(self) -> None:
        """End all of them, at once and for certain."""
        if self._mark is not None:
            self._kill_members()  # before the root, which takes in orphans
        elif self._inside is not None:
            self._kill_inside()
        with suppress(OSError):
            os.killpg(self._root, signal.SIGKILL)

    def _kill_inside(self) -> None:
        """End each at once: in a flood it takes long until the first process ends the others."""
        with suppress(OSError), os.scandir(self.inner_root() / "proc") as entries:
            for entry in entries:
                if entry.name.isdigit():
                    with suppress(OSError):
                        folder = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY)
                        try:
                            signal.pidfd_send_signal(folder, signal.SIGKILL)
                        finally:
                            os.close(folder)

    def _kill_members(self) -> None:
        """Stop all before any is killed: what stands still starts nothing new."""
        for _ in range(_ROUNDS):
            stopped: set[int] = set()
            for _ in range(_ROUNDS):
                if not (moving := self._others() - stopped):
                    break
                for pid in moving:
                    _send(pid, signal.SIGSTOP)
                stopped |= moving
            if not stopped:
                return
            for pid in stopped:
                _send(pid, signal.SIGKILL)

    def _others(self) -> set[int]:
        return (set(self.members()) | self._marked()) - {self._root, os.getpid()}

    def _marked(self) -> set[int]:
        found = set()
        for pid in _processes():
            with suppress(OSError):
                if self._mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                    found.add(pid)
        return found


def _processes() -> dict[int, tuple[int, int]]:
    """Return parent and session of every living process."""
    known = {}
    with suppress(FileNotFoundError):
        for name in os.listdir(_PROC):  # noqa: PTH208 - thousands of names, often
            if name.isdigit():
                with suppress(OSError):
                    # The name in brackets may hold anything, spaces and brackets too.
                    stat = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
                    if stat[0] != b"Z":
                        known[int(name)] = (int(stat[_PPID]), int(stat[_SESSION]))
    return known


def _send(pid: int, number: int) -> None:
    with suppress(OSError):
        os.kill(pid, number)
