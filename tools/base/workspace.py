"""Workspace: the folder a session's files are in, and the only one its tools may touch.

What a model calls a path becomes one here and nowhere else. A path is checked twice: as text, with
every symlink followed (``resolve``), and again while it is opened, folder by folder and without
following any, so that one which is exchanged for a symlink in between leads nowhere.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from noctule.core.base.private_files import make_folder, persons_umask
from noctule.core.tools.forbidden_workspaces import refusal
from tools.base.git_places import is_gits, repository_made
from tools.base.protected_paths import lies_in, noctules_own, outermost, python_by_name, reals, ways

OUTPUTS = ".noctule"
"""The folder within a workspace where long tool output is kept; agents may read it."""

SENT = "in"
"""The folder of a workspace in which what people sent is
(``noctule.sessions.service.incoming_files``)."""

PART_PREFIX = ".noctule-part-"
"""How the name of a file begins that is being written and not yet in its place."""

_MOST_HELD_BYTES = 64 * 1024 * 1024
_SMALLEST_ENTRY_BYTES = 1024
_LONGEST_NAME_BYTES = 255
_LONGEST_PATH_BYTES = 4096
_DEFAULT_MODE = 0o644
_PERMISSIONS = 0o777


class PathError(Exception):
    """A path cannot be used; ``str()`` of it tells the agent why and what to write instead."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A session's folder.

    Args:
        root: absolute, symlinks resolved; it exists.
        most_bytes: how much it may hold; of a folder somebody gave, how much one call may add.
        own: True when the folder was made for the session; False when a person gave one, so that
            what is in it was written by others.
        kept: files and folders within that nobody may change, because Noctule itself obeys or
            runs them; absolute, symlinks resolved.
        records: where is noted what was there before a command; None notes nothing, so that what
            is made by one whose end nobody saw stays.
    """

    root: Path
    most_bytes: int
    own: bool = True
    kept: tuple[Path, ...] = ()
    records: Path | None = None

    @property
    def is_private(self) -> bool:
        """Whether what is in it may be a person's alone: they gave the folder, or sent files."""
        return not self.own or os.path.lexists(self.root / SENT)

    @property
    def guarded(self) -> tuple[Path, ...]:
        """What is there that nobody may change: ``kept``, and Noctule's own Python."""
        own = (path for path in noctules_own() if self.root in path.parents)
        return tuple(path for path in dict.fromkeys((*self.kept, *own)) if os.path.lexists(path))

    def missing(self) -> tuple[Path, ...]:
        """Return what Noctule would obey if it were there."""
        return tuple(path for path in self.kept if not os.path.lexists(path))

    def resolve(self, text: str) -> Path:
        """Return the real path of what a model calls a file or folder; it need not exist.

        Args:
            text: relative to the root, or absolute and within it. Symlinks that stay within the
                workspace are followed.

        Raises:
            PathError: it leads out of the workspace, is no path, or is a device, pipe or socket.
        """
        _check_text(text)
        with _plainly(text):
            real = Path(os.path.realpath(self.root / text))
        if real != self.root and self.root not in real.parents:
            raise PathError(
                f"{text!r} leads out of the workspace. Give a path inside it, relative to its "
                "root, like src/app.py."
            )
        _check_kind(text, real)
        return real

    def relative(self, path: Path) -> str:
        """Return a resolved path as agents and people write it: relative, ``.`` for the root."""
        return path.relative_to(self.root).as_posix()

    @contextmanager
    def reading(self, text: str) -> Iterator[BufferedReader]:
        """Open a file for reading.

        Raises:
            PathError: there is none, or it cannot be read.
        """
        path = self.resolve(text)
        if path.is_dir():
            raise PathError(f"{text!r} is a folder; list_files shows what is in it.")
        with _plainly(text), self._folder(path.parent) as folder:
            descriptor = os.open(path.name, _flags(os.O_RDONLY), dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PathError(f"{text!r} is no regular file.")
            yield file

    def content(self, text: str) -> bytes | None:
        """Return all that is in a file; None when there is none.

        Raises:
            PathError: it cannot be read, or is too large to be held in memory.
        """
        if not self.resolve(text).exists():
            return None
        with self.reading(text) as file:
            if os.fstat(file.fileno()).st_size > _MOST_HELD_BYTES:
                raise PathError(
                    f"{text!r} is larger than {readable_size(_MOST_HELD_BYTES)}: too large to be "
                    "changed as a whole. Use a program that reads it piece by piece."
                )
            return file.read()

    def digest(self, text: str) -> str | None:
        """Return the SHA-256 of a file in hexadecimal; None when there is none.

        Raises:
            PathError: it cannot be read.
        """
        if not self.resolve(text).exists():
            return None
        with self.reading(text) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def put(self, text: str, content: bytes, token: str) -> None:
        """Write a file as a whole: a crash leaves the old one or the new one, never a part.

        Args:
            text: its path; folders that are missing are made, permissions of an old one kept.
            content: all of it.
            token: names the part file, so that the same call done again after a crash leaves
                none behind.

        Raises:
            PathError: the path is refused, or the workspace would hold too much.
        """
        path = self._changeable(text)
        self._check_room(path, len(content))
        with _plainly(text), self._folder(path.parent, make=True) as folder:
            _put(folder, path.name, content, token, 0o600 if self.own else _DEFAULT_MODE)
            if path.parent == self.root / OUTPUTS:
                _unlist(folder)

    def remove(self, text: str) -> None:
        """Delete a file.

        Raises:
            PathError: there is none, or it cannot be deleted.
        """
        path = self._changeable(text)
        with _plainly(text), self._folder(path.parent) as folder:
            os.unlink(path.name, dir_fd=folder)

    def set_aside(self, place: str, name: str) -> str:
        """Rename what is at a relative path, a link itself; return where it is then.

        Args:
            place: the path; no link on the way is followed.
            name: the new name in the same folder, to which a number is added if it is taken.

        Raises:
            OSError: it is gone, or its folder cannot be written to.
        """
        path, free, number = self.root / place, name, 1
        with self._folder(path.parent) as folder:
            os.fchmod(folder, stat.S_IMODE(os.fstat(folder).st_mode) | stat.S_IRWXU)
            taken = set(os.listdir(folder))  # noqa: PTH208 - of a descriptor
            while free in taken:
                number += 1
                free = f"{name}-{number}"
            os.rename(path.name, free, src_dir_fd=folder, dst_dir_fd=folder)
        return self.relative(path.with_name(free))

    def size(self, text: str) -> int | None:
        """Return how long a file is, in bytes; None when there is none.

        Raises:
            PathError: the path is refused.
        """
        path = self.resolve(text)
        try:
            return path.lstat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def used_bytes(self, since: float = 0.0) -> int:
        """Return how much of the disk the workspace takes; what vanishes meanwhile is not counted.

        It looks at every file: some tenths of a second where there are 35,000.

        Args:
            since: files that have not changed since are not counted; seconds of the epoch.
        """
        return sum(_blocks(self.root, since))

    def free_bytes(self) -> int:
        """Return how much is left on its disk."""
        disk = os.statvfs(self.root)
        return disk.f_bavail * disk.f_frsize

    def _changeable(self, text: str) -> Path:
        path = self.resolve(text)
        if path == self.root or path.is_dir():
            raise PathError(f"{text!r} is a folder; name a file.")
        # Whoever writes there decides what the next `git status` of a person runs.
        if any(map(is_gits, path.relative_to(self.root).parts)):
            raise PathError(f"{text!r} belongs to git, which alone may write it.")
        if _is_in(path, (*self.guarded, *self.kept)):
            raise PathError(f"{text!r} tells Noctule itself what to do; only people may write it.")
        if (folder := repository_made(self.root, path)) is not None:
            raise PathError(
                f"{text!r} would be part of a git repository, {self.relative(folder)}, whose "
                "configuration a person's git obeys; git alone may write there."
            )
        return path

    def _check_room(self, path: Path, size: int) -> None:
        room = self.most_bytes
        if self.own:
            with suppress(OSError):
                room += path.stat().st_size
            room -= self.used_bytes()
        if size > room:
            raise PathError(
                f"{readable_size(size)} do not fit: the workspace may hold "
                f"{readable_size(self.most_bytes)}. Delete what is no longer needed."
            )

    @property
    def _folder_mode(self) -> int:
        """With which mode folders are made: in a given folder as the person's programs do."""
        return 0o700 if self.own else 0o777 & ~persons_umask()

    @contextmanager
    def _folder(self, path: Path, *, make: bool = False) -> Iterator[int]:
        """Open a folder of the workspace step by step, following no symlink."""
        descriptor = os.open(self.root, _flags(os.O_RDONLY | os.O_DIRECTORY))
        try:
            for name in path.relative_to(self.root).parts:
                below = _enter(descriptor, name, make=make, mode=self._folder_mode)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)


def open_workspace(
    home: Path,
    session_id: str,
    given: Path | None,
    *,
    most_bytes: int,
    kept: Sequence[Path] = (),
) -> Workspace:
    """Make a session's folder, or take the one it was given.

    Args:
        home: Noctule's data folder.
        session_id: whose; made of letters, digits, ``-`` and ``_``.
        given: a folder that exists; None makes ``workspaces/<session>`` in the data folder, which
            nobody but its user may enter.
        most_bytes: see Workspace.
        kept: what nobody may change, where it is within; it need not exist.

    Raises:
        PathError: the given folder does not exist, or is one that no agent may have.
    """
    if given is not None:
        folder = _acceptable(given, home)
        within = _within(folder, kept)
        return Workspace(folder, most_bytes, own=False, kept=within, records=home / "commands")
    if not session_id.replace("-", "").replace("_", "").isalnum():
        raise PathError(f"{session_id!r} is no id of a session, so it has no folder.")
    folder = home / "workspaces" / session_id
    make_folder(folder)
    return Workspace(folder.resolve(), most_bytes)


def readable_size(count: int) -> str:
    """Return a number of bytes as people write it."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:  # noqa: PLR2004 - the step between binary units
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path.expanduser()))


def _within(folder: Path, kept: Sequence[Path]) -> tuple[Path, ...]:
    """Return what of it is kept, symlinks resolved.

    Raises:
        PathError: the folder is part of Noctule, or what is kept could be exchanged.
    """
    if (own := lies_in(folder, ())) is not None:
        raise PathError(
            f"{folder} is part of {own}, which Noctule itself runs, so it is no workspace. Name "
            "another folder."
        )
    kept = list(outermost(kept, folder))
    found = tuple(dict.fromkeys(real for real in reals(kept) if folder in real.parents))
    still = {*found, *noctules_own()}
    for path, above in ways((*kept, *python_by_name())):
        exchangeable = folder in above.parents and still.isdisjoint((above, *above.parents))
        if exchangeable and above.is_symlink():
            raise PathError(
                f"{above} is a link within the workspace by which something is named that Noctule "
                f"runs or obeys, and an agent could exchange it. Name {_real(path)} itself instead."
            )
    return found


def set_aside_made(workspace: Workspace, missing: Sequence[Path]) -> str | None:
    """Rename what a command made where Noctule would obey it.

    Args:
        workspace: where it ran.
        missing: what was not there before (``Workspace.missing``).

    Returns:
        What the agent is told of it; None when nothing was made.
    """
    made = [workspace.relative(path) for path in missing if os.path.lexists(path)]
    for place in made:
        workspace.set_aside(place, f"{Path(place).name}.by-agent")
    if not made:
        return None
    return (
        f"Made by a command, and set aside by renaming to NAME.by-agent, because Noctule itself "
        f"would obey it: {', '.join(map(ascii, made))}."
    )


def _is_in(path: Path, kept: Sequence[Path]) -> bool:
    """Whether a path is something kept or lies in it, on disks that know no capitals, too."""
    folded, here = {str(each).casefold() for each in kept}, Path(str(path).casefold())
    return any(str(above) in folded for above in (here, *here.parents))


def _acceptable(given: Path, home: Path) -> Path:
    folder = given.expanduser()
    if not folder.is_dir():
        raise PathError(f"The workspace {str(given)!r} is no folder. Make it, or name another.")
    folder, records = folder.resolve(), home.expanduser().resolve()
    refused = refusal(folder, Path.home())
    if refused is not None:
        raise PathError(refused)
    if folder in (records, *records.parents, records / "workspaces", records / "commands"):
        raise PathError(f"{folder} holds Noctule's own records. Name a folder of the project.")
    return folder


def _check_text(text: str) -> None:
    if not text:
        raise PathError("The path is empty. Give one relative to the workspace; . is its root.")
    if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in text):
        raise PathError(f"{text[:80]!r} holds a control character; no path here does.")
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError as error:
        raise PathError(f"{text[:80]!r} cannot be the name of a file.") from error
    longest = max(len(name) for name in encoded.split(b"/"))
    if len(encoded) > _LONGEST_PATH_BYTES or longest > _LONGEST_NAME_BYTES:
        raise PathError(
            f"{text[:80]!r}... is too long: a name has at most {_LONGEST_NAME_BYTES} bytes, a path "
            f"{_LONGEST_PATH_BYTES}."
        )
    if text == "~" or text.startswith("~/"):
        raise PathError("~ means nothing here. Give a path relative to the workspace.")


def _check_kind(text: str, real: Path) -> None:
    try:
        mode = real.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise PathError(f"{text!r} cannot be looked at: {error.strerror}.") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise PathError(f"{text!r} is neither a file nor a folder (a link in a circle, or a pipe).")


def _flags(access: int) -> int:
    # Without O_NONBLOCK a pipe that took the place of a file would hang whoever opens it.
    return access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _enter(folder: int, name: str, *, make: bool, mode: int) -> int:
    made = False
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=folder)
            made = True
    below = os.open(name, _flags(os.O_RDONLY | os.O_DIRECTORY), dir_fd=folder)
    if made:
        os.fchmod(below, mode)  # whatever the umask
    return below


def _put(folder: int, name: str, content: bytes, token: str, mode: int) -> None:
    part = PART_PREFIX + hashlib.sha256(f"{token} {name}".encode(errors="replace")).hexdigest()[:16]
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=folder)
    with suppress(FileNotFoundError):
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode & _PERMISSIONS
    descriptor = os.open(part, _flags(os.O_WRONLY | os.O_CREAT | os.O_EXCL), 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise
    os.fsync(folder)


def _unlist(folder: int) -> None:
    """Keep git from showing a person what tools keep in their project."""
    with suppress(FileExistsError):
        flags = _flags(os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        descriptor = os.open(".gitignore", flags, _DEFAULT_MODE, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"*\n")


def _blocks(folder: Path, since: float) -> Iterator[int]:
    waiting = [str(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    if about.st_ctime >= since:  # an empty file takes room, too, and a number
                        yield max(about.st_blocks * 512, _SMALLEST_ENTRY_BYTES)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)


@contextmanager
def _plainly(text: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PathError(f"There is no {text!r} in the workspace; list_files shows it.") from error
    except OSError as error:
        raise PathError(f"{text!r} cannot be used: {error.strerror or error}.") from error
