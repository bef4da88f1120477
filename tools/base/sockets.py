"""Sockets: those in a folder at which somebody listens, an editor, a database or an agent of keys.

A command without a network could still talk to them, for they are files; so they are covered.
"""

import os
import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def listening(places: Iterable[Path]) -> list[Path]:
    """Return those places that are sockets at which somebody listens, whatever the kind.

    One that nobody listens at any more is left alone, so that a command can delete what an
    earlier one left.

    Args:
        places: absolute.
    """
    return [path for path in places if _is_socket(path) and _answers(path)]


def odd_in(repositories: Iterable[Path]) -> Iterator[Path]:
    """Yield what in folders of git's is neither a file, a folder nor a link.

    Args:
        repositories: what a ``.git`` stands for; their objects, which are many, are left out.
    """
    waiting, seen = list(repositories), set()
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and entry.name != "objects":
                    waiting.append(Path(entry.path))
                elif is_odd(entry):
                    yield Path(entry.path)


def is_odd(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is neither a file, a folder nor a link; it takes no look at the disk."""
    known = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
    return not (known or entry.is_symlink())


def _is_socket(path: Path) -> bool:
    with suppress(OSError):
        return stat.S_ISSOCK(path.lstat().st_mode)
    return False


def _answers(path: Path) -> bool:
    """Whether somebody listens, without them noticing.

    A datagram socket reaches no stream socket (EPROTOTYPE), and whoever takes datagrams is told
    of none; refused is what nobody listens at.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            asking.connect(f"/proc/self/fd/{folder}/{path.name}")  # a long path does not fit
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    finally:
        os.close(folder)
    return True
