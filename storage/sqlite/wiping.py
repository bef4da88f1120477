"""Wiping: what was replaced in a SQLite file leaves its free pages and its log as well."""

import json
import re
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

_WAIT_S: Final = 10.0
_CHUNK: Final = 1 << 20
_SHORTEST_PIECE: Final = 8


def wipe_all(paths: Iterable[Path], gone: Collection[str], *, whole: bool) -> bool:
    """Wipe several files; each is tried, also when another has to wait: then False is returned."""
    clean = True
    for path in paths:
        clean = wipe(path, gone, whole=whole) and clean
    return clean


def wipe(
    path: Path, gone: Collection[str], *, whole: bool = False, wait_s: float = _WAIT_S
) -> bool:
    """Leave nothing of some texts on the pages that a SQLite file no longer uses. Blocks.

    The log is copied into the file and emptied; where the file still holds one of the texts, it
    is written anew (``VACUUM``).

    Args:
        path: the file; one that is not there is clean.
        gone: texts that no row holds any more, or only rows that keep them.
        whole: writes it anew in any case.
        wait_s: how long it waits for others, in seconds.

    Returns:
        False when others who read or write the file kept that from being done; ask again.

    Raises:
        OSError: the file cannot be read.
        sqlite3.Error: it is damaged, or its disk is full.
    """
    if not path.is_file():
        return True
    with closing(sqlite3.connect(path, isolation_level=None, timeout=wait_s)) as connection:
        try:
            if not _emptied(connection):
                return False
            if whole or holds(path, gone):
                connection.execute("VACUUM")
                # What is held now stands in rows, on purpose: a part of a time, another session.
                return _emptied(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                return False
            raise
    return True


def holds(path: Path, texts: Collection[str]) -> bool:
    """Return whether the bytes of a file hold one of some texts, or a half of one.

    A long row goes on over pages that are not beside one another, so a text may be cut once.

    Raises:
        OSError: it cannot be read.
    """
    pattern = _pattern(texts)
    if pattern is None:
        return False
    longest = max(len(text.encode("utf-8", "replace")) for text in texts) * 6
    with path.open("rb") as file:
        before = b""
        while chunk := file.read(_CHUNK):
            window = before + chunk
            if pattern.search(window):
                return True
            before = window[-longest:]
    return False


def _pattern(texts: Collection[str]) -> re.Pattern[bytes] | None:
    pieces: set[bytes] = set()
    for text in texts:
        for form in {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}:
            encoded = form.encode("utf-8", "replace")
            half = len(encoded) // 2
            long = half >= _SHORTEST_PIECE
            pieces |= {encoded[:half], encoded[-half:]} if long else {encoded}
    return re.compile(b"|".join(map(re.escape, sorted(pieces)))) if pieces else None


def _emptied(connection: sqlite3.Connection) -> bool:
    """Copy the log into the file and empty it; False when readers still need it."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
