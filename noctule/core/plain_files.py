"""Plain files: texts that must not stay are written over in logs, backups and histories."""

import mmap
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

_DATABASES = (".db", ".db-wal", ".db-shm", ".db-journal")
_OTHERS = frozenset({"workspaces", "commands", "models", "weights", "huggingface"})
"""Folders of a data folder that hold what agents and people put there, or what was fetched."""


def overwrite(home: Path, gone: Collection[str], mark: Callable[[str], str]) -> int:
    """Write over texts in every plain file of a data folder, byte for byte; return how many times.

    Each keeps its length, so that files others append to and copies of databases stay what they
    are. Databases in use, which their own programs write, are left out. Blocks.

    Args:
        home: the data folder.
        gone: the texts.
        mark: returns what stands for each; it is cut, or filled up with ``*``.
    """
    pairs = []
    for text in gone:
        encoded = text.encode("utf-8", "replace")
        filled = mark(text).encode()[: len(encoded)]
        pairs.append((encoded, filled.ljust(len(encoded), b"*")))
    return sum(_overwrite(path, pairs) for path in _files(home)) if pairs else 0


def _overwrite(path: Path, pairs: list[tuple[bytes, bytes]]) -> int:
    count = 0
    with suppress(OSError, ValueError):  # gone, another's, or empty
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            with mmap.mmap(handle, 0) as content:
                for text, mark in pairs:
                    at = content.find(text)
                    while at >= 0:
                        content[at : at + len(text)] = mark
                        count += 1
                        at = content.find(text, at + len(text))
        finally:
            os.close(handle)
    return count


def _files(home: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(home):
        here = Path(folder)
        if here == home:
            folders[:] = [name for name in folders if name not in _OTHERS]
        for name in names:
            path = here / name
            in_use = name.endswith(_DATABASES) and "backups" not in path.relative_to(home).parts
            if not in_use and path.is_file() and not path.is_symlink():
                yield path
