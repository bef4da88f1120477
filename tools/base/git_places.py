"""Git places: every ``.git`` in a folder, and the folders whose configuration git obeys there.

A ``.git`` is a folder, a file that names one (``gitdir: ...``) or a link to one; what it leads to
may name another (``commondir``) and holds those of submodules and worktrees (gitrepository-layout,
git 2.39).
"""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tools.base.sockets import is_odd

MOST_ENTRIES = 1_000_000
"""How many files and folders are looked through; a second or two, once they are in memory."""

MOST_FOLDERS = 64
"""Of how many repositories the configuration can be kept from being changed."""

_GONE_OR_UNREACHABLE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_LONGEST_POINTER_BYTES = 8192
_MARKS = ("HEAD", "objects", "refs", "commondir")
"""By what git takes a folder without a ``.git`` for a repository (setup.c, is_git_directory)."""

_UNSEEN = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_GITS = re.compile(r"(\.git|git~\d+)[. ]*(:.*)?", re.IGNORECASE | re.DOTALL)

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_gits(name: str) -> bool:
    """Whether a name is ``.git`` on some disk: those of HFS+, NTFS and FAT read more as it.

    They leave out letters that are not seen, what ends a name, streams; or have short names
    (git 2.39, ``is_hfs_dotgit`` and ``is_ntfs_dotgit``).

    Args:
        name: of one file or folder.
    """
    return _GITS.fullmatch(_UNSEEN.sub("", name)) is not None


class GitWalk:
    """A look through a folder that follows no link and goes into no ``.git``.

    Paths are relative to it and as long as git itself can use.

    Args:
        root: the folder.
        most: how many entries are looked at; None for all.
    """

    def __init__(self, root: Path, most: int | None = None) -> None:
        self._root = root
        self._left = most
        self.waiting = [""]
        self.closed: list[str] = []
        """Folders that could not be looked into for want of permission."""
        self.odd: list[str] = []
        """What is neither a file, a folder nor a link."""
        self.complete = True

    def __iter__(self) -> Iterator[str]:
        """Yield each ``.git``, and the ``HEAD`` of each folder that is a repository itself.

        What is added to ``waiting`` meanwhile is looked through, too.
        """
        root = os.open(self._root, _OPEN | os.O_DIRECTORY)
        try:
            while self.waiting and self.complete:
                yield from self._within(root, self.waiting.pop())
        finally:
            os.close(root)

    def _within(self, root: int, folder: str) -> list[str]:
        try:
            descriptor = os.open(folder or ".", _OPEN | os.O_DIRECTORY, dir_fd=root)
        except PermissionError:
            self.closed.append(folder)
            return []
        except OSError as error:
            if error.errno in _GONE_OR_UNREACHABLE:
                return []
            raise
        found, names = [], set()
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if self._left is not None:
                        self._left -= 1
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.name in _MARKS:
                        names.add(entry.name)
                    if is_gits(entry.name):
                        found.append(path)
                    else:
                        self._note(entry, path)
        finally:
            os.close(descriptor)
        if "HEAD" in names and ("commondir" in names or {"objects", "refs"} <= names):
            found.append(f"{folder}/HEAD" if folder else "HEAD")
        self.complete = self._left is None or self._left >= 0
        return found

    def _note(self, entry: os.DirEntry[str], path: str) -> None:
        if entry.is_dir(follow_symlinks=False):
            self.waiting.append(path)
        elif is_odd(entry):
            self.odd.append(path)


def repository_made(root: Path, path: Path) -> Path | None:
    """Return the folder that git would take for a repository if a file were written; None: none.

    Args:
        root: the folder above which nothing is looked at.
        path: the file, absolute.
    """
    below = path
    while below != root and root in below.parents:
        folder = below.parent
        names = {below.name.casefold()}
        with suppress(OSError):
            names |= {name.casefold() for name in os.listdir(folder)}  # noqa: PTH208 - names alone
        if "head" in names and ("commondir" in names or {"objects", "refs"} <= names):
            return folder
        below = folder
    return None


def identity(root: Path, place: str) -> str | None:
    """Return what tells one ``.git`` from another in its place; None where it cannot be known."""
    path = root / place
    if path.name == "HEAD":  # changes with each commit; its folder does not
        path = path.parent
    try:
        about = path.lstat()
        if stat.S_ISDIR(about.st_mode):
            # The one at the root cannot be exchanged by a command, so its number is not asked.
            return "folder" if place == ".git" else f"folder {about.st_ino}"
        where = target(path)
        leads = f"{where} {where.stat().st_ino}" if where and where.exists() else f"{where} none"
    except OSError:
        return None
    return f"{'link' if stat.S_ISLNK(about.st_mode) else 'file'} {leads}"


def target(place: Path) -> Path | None:
    """Return which folder a ``.git`` stands for, links resolved; None when it names none."""
    if place.is_symlink():
        place = Path(os.path.realpath(place))
    if place.is_dir():
        return place
    named = _pointer(place)
    if named is None or not named.startswith("gitdir:"):
        return None
    return Path(os.path.realpath(place.parent / named.removeprefix("gitdir:").strip()))


def folders(root: Path, places: Iterable[str]) -> list[Path]:
    """Return the folders within ``root`` whose configuration git obeys; one more than it may."""
    named = [root / place for place in places]
    named = [place.parent if place.name == "HEAD" else place for place in named]
    waiting = [where for place in named if (where := target(place))]
    found: dict[Path, None] = {}
    while waiting and len(found) <= MOST_FOLDERS:
        folder = waiting.pop()
        if folder in found or not (folder == root or root in folder.parents):
            continue
        if not folder.is_dir():
            continue
        found[folder] = None
        waiting += _submodules(folder / "modules")
        with suppress(OSError):
            waiting += [each for each in (folder / "worktrees").iterdir() if not each.is_symlink()]
        if (common := _pointer(folder / "commondir")) is not None:
            waiting.append(Path(os.path.realpath(folder / common.strip())))
    return list(found)


def _submodules(modules: Path) -> Iterator[Path]:
    """Yield those of submodules, whose names may hold slashes."""
    waiting, most = [modules], MOST_ENTRIES
    while waiting and most > 0:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                most -= 1
                if not entry.is_dir(follow_symlinks=False):
                    continue
                if os.path.lexists(f"{entry.path}/HEAD"):
                    yield Path(entry.path)
                else:
                    waiting.append(Path(entry.path))


def _pointer(file: Path) -> str | None:
    try:
        descriptor = os.open(file, _OPEN)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return os.fsdecode(os.read(descriptor, _LONGEST_POINTER_BYTES))
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None
