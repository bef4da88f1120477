"""Set-id files: programs in a folder that run as their owner or group, whoever starts them.

The kernel takes the bit away when one is written, but not when it is changed through a shared
mapping: a command could put its own program into one of root's. So they are read-only for commands.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

from tools.sandbox.mounts import MountError

_BITS = 0o6000
_MOST = 256
_REST = 20  # a look may take a twentieth of the time, for commands often follow each other
_MOST_ROOTS = 64

_known: dict[Path, tuple[float, list[Path]]] = {}
_lock = Lock()


def set_id_files(root: Path) -> list[Path]:
    """Return those in a folder: as they were a moment ago, where looking takes long.

    Only people make them, for commands are refused the bits.

    Args:
        root: absolute, symlinks resolved.

    Raises:
        MountError: there are more than can be kept.
    """
    with _lock:
        again_at, found = _known.get(root, (0.0, []))
        begun = time.monotonic()
        if begun >= again_at:
            found = list(_found(root))
            while len(_known) >= _MOST_ROOTS:
                _known.pop(next(iter(_known)))
            now = time.monotonic()
            _known[root] = (now + _REST * (now - begun), found)
    if len(found) > _MOST:
        raise MountError(
            f"The workspace holds more than {_MOST} programs with setuid or setgid bits, too many "
            "to keep from being changed, so no command runs. Ask for a smaller folder as the "
            "workspace, or for those bits to be removed."
        )
    return [path for path in found if path.is_file() and not path.is_symlink()]


def _found(root: Path) -> Iterator[Path]:
    waiting = [str(root)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False) and _is_set(entry):
                        yield Path(entry.path)


def _is_set(entry: os.DirEntry[str]) -> bool:
    return bool(entry.stat(follow_symlinks=False).st_mode & _BITS)
