"""Plain files: texts that must not stay are written over in logs, backups and histories."""

import mmap
import os
import re
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, suppress
from pathlib import Path

_DATABASES = (".db", ".db-wal", ".db-shm", ".db-journal")
_FILES = ("noctule.", "engine.", "checkpoints.", "history")
"""How the names of files begin that Noctule writes texts to."""
_FOLDERS = ("backups", "telegram")
"""Folders whose files do. Whatever else lies in a data folder is a person's, or tells Noctule
what to do: keys in an environment file, tools, what was trusted."""

_SHORTEST_BYTES = 8
"""Shorter texts occur in files of bytes by chance."""
_IN_MOMENTS = re.compile(rb"\d{4}-\d\d(?:-[\dT:.+-]*)?|T?\d\d:[\dT:.+-]*")
"""What is a piece of a stored time; times that do not read as such spoil a whole backup."""


def overwrite(home: Path, gone: Collection[str], mark: Callable[[str], str]) -> int:
    """Write over texts in every plain file of a data folder, byte for byte; return how many times.

    Each keeps its length, so that files others append to and copies of databases stay what they
    are. Databases in use, which their own programs write, are left out; in copies of them what
    their schema or their times are made of stays. Blocks.

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
        kept = _structure(path)
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            with mmap.mmap(handle, 0) as content:
                for text, mark in pairs:
                    if kept is not None and _is_structure(text, kept):
                        continue
                    at = content.find(text)
                    while at >= 0:
                        content[at : at + len(text)] = mark
                        count += 1
                        at = content.find(text, at + len(text))
        finally:
            os.close(handle)
    return count


def _structure(path: Path) -> bytes | None:
    """Return the words of a SQLite file's schema; None when it is another file."""
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            return None
    with suppress(sqlite3.Error):
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as copy:
            rows = copy.execute("SELECT name, tbl_name, sql FROM sqlite_master").fetchall()
        words = "\n".join(word for row in rows for word in row if word)
        return f"SQLite format 3\n{words}".encode("utf-8", "replace")
    return b""


def _is_structure(text: bytes, schema: bytes) -> bool:
    return len(text) < _SHORTEST_BYTES or text in schema or bool(_IN_MOMENTS.fullmatch(text))


def _files(home: Path) -> Iterator[Path]:
    with suppress(OSError):
        for path in home.iterdir():
            in_use = path.name.endswith(_DATABASES)
            if path.name.startswith(_FILES) and not in_use and _is_plain(path):
                yield path
    for folder in _FOLDERS:
        if not (home / folder).is_symlink():
            yield from (path for path in (home / folder).rglob("*") if _is_plain(path))


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
