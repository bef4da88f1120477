"""Stages: what a command of root's Noctule is started in, so that it is an ordinary user's.

A mapped user id changes nothing outside: to the kernel a command of root's stays root's, whom files
of the machine obey and no limit on processes binds. So it runs as a user nobody else is, and its
folder is shown to that user as theirs; see ``staging``.
"""

import os
import pwd
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

from tools.base.programs import system_program

_CANDIDATES = range(65520, 65534)  # left free by systemd and by distributions
_PLACES = ("/mnt", "/media", "/srv", "/opt", "/boot")
_SECONDS = 20
_MOST_STAGES = 32
_IN_USE_SECONDS = 60.0


class StageError(Exception):
    """Root's command cannot be an ordinary user's; ``str()`` of it says why and what to do."""


@dataclass(slots=True)
class Stage:
    """A mount namespace in which folders are shown to an ordinary user.

    Args:
        user: their id, and that of their group.
        namespace: an open descriptor of it.
        shown: where each folder or file is there.
        used: when it was last asked for, on the monotonic clock.
    """

    user: int
    namespace: int
    shown: dict[Path, Path]
    used: float

    def at(self, path: Path | str) -> str:
        """Return where a path is there; itself when it was not asked for."""
        path = Path(path)
        for above in (path, *path.parents):
            if (place := self.shown.get(above)) is not None:
                return str(place / path.relative_to(above))
        return str(path)

    def enter(self) -> list[str]:
        """Return the words before a command that make it run there, as that user."""
        where = f"--mount=/proc/{os.getpid()}/fd/{self.namespace}"
        user = str(self.user)
        return [_nsenter(), where, "--setuid", user, "--setgid", user, "--"]


_Key = tuple[tuple[str, int, int], ...]
_stages: dict[_Key, Stage] = {}
_lock = Lock()


def stage_of(folder: Path, others: Sequence[Path] = ()) -> Stage:
    """Return a stage on which a folder can be written and others can be read.

    The first for a folder takes some tens of milliseconds, the next nothing.

    Args:
        folder: absolute, symlinks resolved.
        others: folders and files, absolute.

    Raises:
        StageError: this machine does not do that there.
    """
    with _lock:
        paths = dict.fromkeys((folder, *others))
        try:
            about = {path: path.stat() for path in paths}
        except OSError as error:
            raise StageError(f"{error.filename} cannot be looked at ({error.strerror}).") from error
        key = tuple((str(path), each.st_dev, each.st_ino) for path, each in about.items())
        stage = _stages.get(key)
        if stage is None:
            _make_room()
            stage = _stages[key] = _built(about, folder)
        stage.used = time.monotonic()
        return stage


def _make_room() -> None:
    old = [key for key, stage in _stages.items() if time.monotonic() - stage.used > _IN_USE_SECONDS]
    for key in old[: max(0, len(_stages) - _MOST_STAGES)]:
        os.close(_stages.pop(key).namespace)


def _built(about: dict[Path, os.stat_result], folder: Path) -> Stage:
    _nsenter()  # before anything is made
    user, place = _user(), next((one for one in _PLACES if Path(one).is_dir()), None)
    if place is None:
        raise StageError(_sentence(folder, f"none of {', '.join(_PLACES)} exists"))
    sources = [
        word
        for path, each in about.items()
        for word in (str(each.st_uid), str(each.st_gid), str(path))
    ]
    script = str(Path(__file__).with_name("staging.py"))
    try:
        with subprocess.Popen(  # noqa: S603 - a program of ours
            [sys.executable, "-I", "-S", script, str(user), place, *sources],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as program:
            said = program.stdout.readline().decode().strip() if program.stdout else ""
            if said != "ready":
                raise StageError(_sentence(folder, said or "the program for it said nothing"))
            namespace = os.open(f"/proc/{program.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise StageError(_sentence(folder, str(error.strerror))) from error
    shown = {path: Path(place) / str(number) for number, path in enumerate(about)}
    return Stage(user, namespace, shown, time.monotonic())


def _sentence(folder: Path, why: str) -> str:
    return (
        f"Noctule runs as root, and {folder} cannot be shown to an ordinary user ({why}), so what "
        "a command does there root does. Run Noctule as an ordinary user, or keep the folder on a "
        "disk with ext4, xfs or btrfs."
    )


@cache
def _user() -> int:
    for number in _CANDIDATES:
        try:
            pwd.getpwuid(number)
        except KeyError:
            return number
    raise StageError("Noctule runs as root, and no user id is free for commands.")


@cache
def _nsenter() -> str:
    program = system_program("nsenter")
    if program is None:
        raise StageError(
            "Noctule runs as root, and nsenter, which starts its commands as an ordinary user, is "
            "not installed. Install it (`apt install util-linux`), or run Noctule as that user."
        )
    return program
