"""Private files: what Noctule keeps is for its owner alone, whoever makes it, under any umask."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_BESIDE = ("-wal", "-shm", "-journal")
_KEY = "secret-key"
_KEY_BYTES = 32
_OTHERS = 0o077
_USUAL_UMASK = 0o022
_persons: list[int] = []


def close_to_others() -> None:
    """From now on, whatever this process makes is for its owner alone, unless it says otherwise."""
    before = os.umask(_OTHERS)
    if not _persons:
        _persons.append(before)


def persons_umask() -> int:
    """Return the umask this process was started with: for programs and files of the person's."""
    return _persons[0] if _persons else _current_umask()


def keep_private(path: Path) -> None:
    """Make a database file for its owner alone (0600), or narrow the one that is there.

    SQLite gives what it makes beside a database the database's own mode (os_unix.c,
    findCreateFileMode); what older versions made is narrowed, too.

    Args:
        path: of the database; its folder exists.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for file in (path, *(path.with_name(path.name + end) for end in _BESIDE)):
        narrow(file)


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone (0700), and those above it that are missing.

    Raises:
        OSError: it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    if missing and not path.is_dir():
        raise NotADirectoryError(20, "it is not a folder", str(path))


def write_private(path: Path, content: bytes) -> None:
    """Write a file for its owner alone (0600), in place of the one that is there.

    A link that stands there is not followed; its folder exists.

    Raises:
        OSError: it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)


def folder_key(home: Path) -> bytes:
    """Return the key of a data folder, made at the first time; for its owner alone. Blocks.

    Raises:
        OSError: it can be neither read nor written.
    """
    path = home / _KEY
    if not path.exists():
        make_folder(home)
        draft = home / f".{_KEY}.{os.getpid()}-{secrets.token_hex(4)}"
        write_private(draft, secrets.token_bytes(_KEY_BYTES))
        try:
            with suppress(FileExistsError):  # another process was first: its key counts
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    return path.read_bytes()


def narrow(path: Path) -> bool:
    """Close a file or folder of this user to everybody else; return whether it was open.

    A link is left alone: what it leads to is not ours to change.
    """
    with suppress(OSError):  # gone, or another's
        about = path.lstat()
        if stat.S_ISLNK(about.st_mode) or not about.st_mode & _OTHERS:
            return False
        path.chmod(stat.S_IMODE(about.st_mode) & ~_OTHERS)
        return True
    return False


def narrow_home(home: Path) -> list[Path]:
    """Close a data folder, and what Noctule itself keeps in it, to everybody else.

    Sessions' own workspaces are left as they are: nobody else comes into them through the folder.

    Args:
        home: the data folder; it need not exist.

    Returns:
        What was open to others.
    """
    return [path for path in (home.resolve(), *_kept(home)) if narrow(path)]


def open_to_others(home: Path) -> list[Path]:
    """Return what of a data folder's own files others could read, were they let into it."""
    found = []
    for path in _kept(home):
        with suppress(OSError):
            if not path.is_symlink() and path.lstat().st_mode & _OTHERS:
                found.append(path)
    return found


def _kept(home: Path) -> Iterator[Path]:
    """Yield what lies in a data folder and in the folders of it that Noctule alone writes."""
    with suppress(OSError):
        for path in home.iterdir():
            yield path
            if path.name in {"backups", "telegram"} and not path.is_symlink():
                yield from path.rglob("*")


def _current_umask() -> int:
    """Read the umask without changing it for a moment, where the system tells it."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return _USUAL_UMASK
