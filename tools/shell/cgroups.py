"""Cgroups: the kernel's own bounds on all processes of a command together, where we may set them.

That needs cgroup v2 with the controllers ``memory`` and ``pids``, and a place that is this user's:
a service of their own (``systemctl --user``, ``systemd-run --user``), or one with ``Delegate=yes``
in which Noctule is alone. Elsewhere what a command uses is counted from outside alone, and it is
counted here, too (``holdings``); memory in sockets and pipes is bounded by this alone.
"""

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

_MOUNT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_CONTROLLERS = frozenset({"memory", "pids"})
_LEAF = "noctule"
_NICE = 10
_TRIES, _PAUSE_SECONDS = 50, 0.01


class ControlGroup:
    """A cgroup of one command.

    Args:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entering(self, argv: list[str]) -> list[str]:
        """Return a command that enters it, if it can, and becomes another."""
        procs = str(self._folder / "cgroup.procs")
        return ["/bin/sh", "-c", 'echo 0 2>/dev/null >"$0"; exec "$@"', procs, *argv]

    def excess(self) -> str | None:
        """Return why the kernel ended it, if it did; a process it refused says so itself."""
        if _event(self._folder / "memory.events", "oom_kill"):
            return "its processes held more memory together than they may"
        return None

    def kill(self) -> None:
        """End all in it at once."""
        with suppress(OSError):
            (self._folder / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """Remove it, once what was in it has ended; takes half a second at most."""
        self.kill()
        for _ in range(_TRIES):
            try:
                self._folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:  # the kernel has not taken leave of the last yet
                time.sleep(_PAUSE_SECONDS)
            else:
                return


class Cgroups:
    """Where this process may make cgroups.

    Args:
        mount: where cgroup v2 is mounted.
        own: the file that tells the cgroup of this process.
    """

    def __init__(self, mount: Path = _MOUNT, own: Path = _OWN) -> None:
        self._mount, self._own = mount, own
        self._parent: Path | None = None
        self._tried = False

    def made(self, *, memory_bytes: int, processes: int) -> ControlGroup | None:
        """Make a group; None where that is not possible.

        Args:
            memory_bytes: all that its processes may hold.
            processes: how many processes and threads it may have.
        """
        if not self._tried:
            self._parent = self._beside() or self._moved()
            self._tried = True
        if self._parent is None:
            return None
        folder = self._parent / f"{_LEAF}-{uuid4().hex}"
        try:
            folder.mkdir()
            (folder / "memory.max").write_text(str(memory_bytes))
            (folder / "pids.max").write_text(str(processes))
        except OSError:
            with suppress(OSError):
                folder.rmdir()
            return None
        for name, value in (
            ("memory.swap.max", "0"),
            ("memory.oom.group", "1"),
            ("cpu.weight.nice", str(_NICE)),
        ):
            with suppress(OSError):
                if (folder / name).exists():
                    (folder / name).write_text(value)
        return ControlGroup(folder)

    def _here(self) -> Path | None:
        """Return the folder of this process's own cgroup; None without cgroup v2 alone."""
        with suppress(OSError, ValueError):
            if (self._mount / "cgroup.controllers").exists():
                found = re.search(r"^0::(/.*)$", self._own.read_text(), re.MULTILINE)
                if found and ".." not in found[1].split("/"):
                    return self._mount / found[1].lstrip("/")
        return None

    def _beside(self) -> Path | None:
        """Return the folder above, where it is given to an ordinary user with its controllers."""
        here = self._here()
        if here is None or here == self._mount or os.geteuid() == 0:
            return None
        above = here.parent
        ready = _words(above / "cgroup.subtree_control") >= _CONTROLLERS
        writable = os.access(above, os.W_OK) and os.access(above / "cgroup.procs", os.W_OK)
        return above if ready and writable else None

    def _alone(self) -> Path | None:
        """Return the own folder, where this process is alone in it and may divide it."""
        here = self._here()
        if here is None or not os.access(here / "cgroup.subtree_control", os.W_OK):
            return None
        has = _words(here / "cgroup.controllers") >= _CONTROLLERS
        return here if has and _words(here / "cgroup.procs") == {str(os.getpid())} else None

    def _moved(self) -> Path | None:
        """Move this process one down, since only a folder without processes can be divided."""
        here = self._alone()
        if here is None:
            return None
        with suppress(OSError):
            (here / _LEAF).mkdir(exist_ok=True)
            (here / _LEAF / "cgroup.procs").write_text(str(os.getpid()))
            wanted = _words(here / "cgroup.controllers") & {*_CONTROLLERS, "cpu"}
            told = " ".join(f"+{name}" for name in sorted(wanted))
            (here / "cgroup.subtree_control").write_text(told)
            return here
        return None


def _words(file: Path) -> set[str]:
    with suppress(OSError):
        return set(file.read_text().split())
    return set()


def _event(file: Path, name: str) -> bool:
    with suppress(OSError):
        found = re.search(rf"^{name} (\d+)$", file.read_text(), re.MULTILINE)
        return found is not None and int(found[1]) > 0
    return False
