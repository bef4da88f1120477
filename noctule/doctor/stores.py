"""The files beside the database: checkpoints and the engine's, which no other check opens."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from noctule.doctor.finding import Finding, Level

_WHOLE_BYTES = 200_000_000
"""Larger files are only opened: reading all of them takes longer than anybody waits."""

_WAIT_S = 5.0


def stores(checkpoints: Path, engine: Path) -> Iterator[Finding]:
    """Say which of the two files cannot be read, and what is lost with it.

    Args:
        checkpoints: the file with the steps of every turn; it need not exist.
        engine: the file with what is due when; it need not exist.
    """
    loss = {
        checkpoints: (
            "Unfinished turns then start over; what was said before is kept in the database, but "
            "agents no longer remember it."
        ),
        engine: "Nothing is lost: it is rebuilt from the database.",
    }
    for path, lost in loss.items():
        flaw = _flaw(path)
        if flaw is not None:
            yield Finding(
                Level.ERROR,
                path.name,
                f"{path} cannot be read: {flaw}.",
                f"Stop everything that uses the data folder, then replace {path.name} with a copy "
                "from the backups folder (and remove its -wal and -shm), or move the file away. "
                f"{lost}",
            )


def _flaw(path: Path) -> str | None:
    """Return what is wrong with an SQLite file; None when nothing is, or when it is not there."""
    if not path.exists():
        return None
    try:
        size = path.stat().st_size
        address = f"file:{quote(str(path))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_WAIT_S)) as opened:
            opened.execute("select count(*) from sqlite_master").fetchone()
            if size > _WHOLE_BYTES:
                return None
            (said,) = opened.execute("pragma quick_check(1)").fetchone()
    except (sqlite3.Error, OSError) as error:
        return _words(error)
    return None if said == "ok" else " ".join(str(said).split()).rstrip(".")


def _words(error: Exception) -> str | None:
    if getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return None  # somebody works with it, so it can be read
    return str(error).rstrip(".") or type(error).__name__
