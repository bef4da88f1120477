"""GitGuard: what a person's next ``git status`` runs is not for commands in a sandbox to decide.

Whoever may write a repository's configuration or hooks decides that, whoever may say where they are
(``commondir``; gitrepository-layout, git 2.39), and whoever may make a repository where none was.
In a folder that a person gave, the first two are kept from a command, and what it makes is renamed
when it has ended.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from uuid import uuid4

from tools.base.git_places import MOST_ENTRIES, MOST_FOLDERS, GitWalk, folders, identity
from tools.base.sockets import listening, odd_in
from tools.base.workspace import Workspace
from tools.sandbox.mounts import Repositories

ASIDE = ".git-by-agent"
"""What a ``.git`` that a command made is called afterwards."""

_PROTECTED = ("config", "hooks", "config.worktree", "commondir", "modules")
_HERE = "././.\n"
"""As a ``commondir``: the folder itself, which is what is meant without one."""

_STAND_INS = {"config.worktree": "", "commondir": _HERE}
_MOST_NAMED = 5


class GuardError(Exception):
    """A command may not run here; ``str()`` of it tells the agent why and what to do."""


class GitGuard:
    """Keeps the repositories of a folder that a person gave; of another it does nothing.

    ``begin`` and ``end`` look through the whole folder, so they belong in a thread: 0.04 s where
    there are 35,000 files.

    Args:
        workspace: that of a session.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._root = workspace.root
        self._known: dict[str, str] = {}
        self._closed: frozenset[str] = frozenset()
        self._folders: list[Path] = []
        self._stand_ins: list[Path] = []
        self._record: tuple[Path, TextIOWrapper] | None = None
        self._told: list[str] = []
        self._odd: list[Path] = []

    def begin(self) -> None:
        """Note what is there, and put something harmless where a repository lacks what could be.

        Raises:
            GuardError: there is more than can be kept; nothing may run.
            OSError: the folder cannot be looked through.
        """
        if self._workspace.own:
            return
        self._told = settle(self._workspace)
        walk = GitWalk(self._root, MOST_ENTRIES)
        found = {place: same for place in walk if (same := identity(self._root, place))}
        if not walk.complete:
            raise GuardError(
                f"The workspace holds more than {MOST_ENTRIES:,} files, too many to look for git "
                "repositories in it that must not be changed, so no command runs. Ask for a "
                "smaller folder as the workspace."
            )
        for others in _running(self._workspace):  # what they made is not a person's
            found = {place: same for place, same in found.items() if others.get(place) == same}
        self._known, self._closed = found, frozenset(walk.closed)
        self._folders = folders(self._root, found)
        self._odd = [self._root / place for place in walk.odd]
        if len(self._folders) > MOST_FOLDERS:
            raise GuardError(
                f"The workspace holds more than {MOST_FOLDERS} git repositories, too many to keep "
                "their configuration from being changed, so no command runs. Ask for a smaller "
                "folder as the workspace."
            )
        self._record = _note(self._workspace, found, self._closed)
        for folder in self._folders:
            self._stand_ins += _complete(folder)

    def repositories(self) -> Repositories:
        """Return what of git's a command must leave as it is."""
        places = [self._root / place for place in self._known]
        files = [path for path in places if path.name != "HEAD" and _is_plain(path)]
        inner = [folder / name for folder in self._folders for name in _PROTECTED]
        inner = [path for path in inner if _is_plain(path)]
        return Repositories(
            # Onto itself, so it can be neither renamed nor replaced.
            pinned=[folder for folder in self._folders if folder != self._root],
            framed=[path for path in inner if path.name == "modules"],
            fixed=[
                *(path for path in files if path.is_file()),
                *(path for path in inner if path.name != "modules"),
            ],
        )

    def sockets(self) -> list[Path]:
        """Return those in the workspace at which somebody listened when it began."""
        return listening((*self._odd, *odd_in(self._folders)))

    def end(self) -> str | None:
        """Set aside what is new, once nothing of the command runs any more.

        Returns:
            What the agent is told of it; None when nothing was.

        Raises:
            OSError: the folder cannot be looked through; the next command does it.
        """
        if self._workspace.own:
            return None
        for path in self._stand_ins:
            # Two commands at once share it: who comes last may find that it was exchanged.
            if path.name == "commondir" or _holds(path, _STAND_INS[path.name]):
                with suppress(OSError):
                    path.unlink()
        try:
            moved, stuck = _sweep(self._workspace, self._known, self._closed)
            if self._record is not None and not stuck:
                self._record[0].unlink(missing_ok=True)
        finally:
            if self._record is not None:
                self._record[1].close()
        return _sentences([*self._told, *moved], stuck)


def settled(workspace: Workspace) -> str | None:
    """Do what ``settle`` does; return what the agent is told of it, None when nothing was."""
    return _sentences(settle(workspace), [])


def settle(workspace: Workspace) -> list[str]:
    """Set aside what commands made that nobody saw the end of, because Noctule was killed.

    Returns:
        What it was, relative to the workspace.

    Raises:
        OSError: the folder cannot be looked through.
    """
    moved: list[str] = []
    for path in _records(workspace):
        with suppress(FileNotFoundError), path.open() as file:
            if not _locked(file):
                continue
            known, closed = _noted(file)
            more, stuck = _sweep(workspace, known, frozenset(closed))
            moved += more
            if not stuck:
                path.unlink(missing_ok=True)
    return moved


def _sweep(
    workspace: Workspace, known: Mapping[str, str], closed: frozenset[str]
) -> tuple[list[str], list[str]]:
    """Rename what is not known; return what was, and what could not be."""
    walk = GitWalk(workspace.root)
    moved, stuck, tried = [], [], set(closed)
    while True:
        for place in walk:
            if place in known and identity(workspace.root, place) == known[place]:
                continue
            try:
                # What was inside becomes an ordinary folder, where another may be hidden.
                walk.waiting.append(workspace.set_aside(place, _aside(place)))
                moved.append(place)
            except OSError:
                stuck.append(place)
        again = [folder for folder in walk.closed if folder not in tried]
        walk.closed.clear()
        if not again:
            return moved, stuck
        for folder in again:  # git need not list a folder to find a repository in it
            tried.add(folder)
            with suppress(OSError):
                (workspace.root / folder).chmod(0o700)
                walk.waiting.append(folder)


def _sentences(moved: Sequence[str], stuck: Sequence[str]) -> str | None:
    told = []
    if moved:
        told.append(
            f"Made or changed by a command, so set aside by renaming to {ASIDE} (HEAD to "
            "HEAD-by-agent), "
            "because what a repository's config and hooks name runs when a person next uses git: "
            f"{_named(moved)}; a person can rename it back after looking at its config and hooks."
        )
    if stuck:
        told.append(
            f"Could not be set aside: {_named(stuck)}. Tell the person to use no git in this "
            "folder before they have looked at it."
        )
    return "\n".join(told) or None


def _aside(place: str) -> str:
    return "HEAD-by-agent" if place.endswith("HEAD") else ASIDE


def _named(places: Sequence[str]) -> str:
    more = len(places) - _MOST_NAMED
    names = ", ".join(ascii(place) for place in places[:_MOST_NAMED])
    return f"{names} and {more} more" if more > 0 else names


def _complete(folder: Path) -> list[Path]:
    """Make what a repository lacks; return what must go again."""
    lacks_common = not (folder / "commondir").exists() or _holds(folder / "commondir", _HERE)
    if lacks_common:  # a worktree has its hooks elsewhere
        for name in ("hooks", "modules"):
            with suppress(OSError):
                (folder / name).mkdir(exist_ok=True)
    for name, content in _STAND_INS.items():
        with suppress(OSError), (folder / name).open("x") as file:
            file.write(content)
    return [folder / name for name, text in _STAND_INS.items() if _holds(folder / name, text)]


def _records(workspace: Workspace) -> list[Path]:
    if workspace.records is None:
        return []
    return sorted(workspace.records.glob(f"{_key(workspace)}-*.json"))


def _key(workspace: Workspace) -> str:
    return hashlib.sha256(os.fsencode(workspace.root)).hexdigest()[:24]


def _running(workspace: Workspace) -> Iterator[dict[str, str]]:
    """Yield what was known to each command that runs in the same folder now."""
    for path in _records(workspace):
        with suppress(FileNotFoundError), path.open() as file:
            yield _noted(file)[0]


def _note(
    workspace: Workspace, known: Mapping[str, str], closed: frozenset[str]
) -> tuple[Path, TextIOWrapper] | None:
    """Keep what is known where a command cannot write, locked for as long as this process lives."""
    if workspace.records is None:
        return None
    workspace.records.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = workspace.records / f"{_key(workspace)}-{uuid4().hex}.json"
    part = path.with_suffix(".part")
    file = part.open("x")
    _locked(file)
    json.dump({"known": dict(known), "closed": sorted(closed)}, file)
    file.flush()
    os.fsync(file.fileno())
    part.rename(path)
    return path, file


def _noted(file: TextIOWrapper) -> tuple[dict[str, str], list[str]]:
    noted = json.load(file)
    return noted["known"], noted["closed"]


def _locked(file: TextIOWrapper) -> bool:
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _is_plain(path: Path) -> bool:
    return path.exists() and not path.is_symlink()


def _holds(path: Path, content: str) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text() == content
    return False
