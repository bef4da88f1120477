"""A glance at the newest sessions without opening the database, for completion at a prompt."""

import sqlite3
from contextlib import closing
from pathlib import Path

from storage.open import sqlite_path

_BUSY_S = 0.2


def newest_sessions(url: str, *, data_folder: Path, limit: int) -> list[tuple[str, str]]:
    """Return id and title of the newest sessions, newest first.

    It reads the file beside whoever writes it and imports no library of databases, so that a
    shell can ask at every key. [] where nothing can be read so cheaply: on PostgreSQL, before the
    first session, or while the file is locked.

    Args:
        url: as for ``open_database``.
        data_folder: likewise.
        limit: how many at most.
    """
    path = sqlite_path(url, data_folder)
    if path is None or not path.is_file():
        return []
    try:
        address = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_S)) as connection:
            rows = connection.execute(
                "SELECT id, coalesce(title, '') FROM sessions ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
    except sqlite3.Error:
        return []
    return [(str(name), str(title)) for name, title in rows]
