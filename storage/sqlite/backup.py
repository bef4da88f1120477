"""Copies of a data folder, taken before its schema is changed."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from noctule.core.errors import StorageError

FOLDER: Final = "backups"
KEEP: Final = 3
"""How many are kept; the oldest goes first."""

logger = logging.getLogger(__name__)


def back_up(path: Path, version: str) -> Path:
    """Copy a database and what belongs to it into a folder of its own beside it.

    Each file is copied at one moment of its own by SQLite's backup, whoever writes meanwhile. All
    are readable by their owner alone.

    Args:
        path: the database; checkpoints and the engine's file beside it come along.
        version: the schema it has, for the name of the copy.

    Returns:
        The folder of the copies, ``backups/NUMBER-schema-VERSION``.

    Raises:
        StorageError: it cannot be written. Nothing was changed.
    """
    backups = path.parent / FOLDER
    try:
        earlier = _earlier(backups)
        number = int(earlier[-1].name.partition("-")[0]) + 1 if earlier else 1
        made = backups / f"{number:04}-schema-{version}"
        draft = backups / f".{made.name}"
        shutil.rmtree(draft, ignore_errors=True)
        backups.mkdir(mode=0o700, exist_ok=True)
        draft.mkdir(mode=0o700)
        for source in _files(path):
            _copy(source, draft / source.name)
        draft.rename(made)
        for old in _earlier(backups)[:-KEEP]:
            shutil.rmtree(old)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            f"{path} needs a newer schema, and was left as it is because no backup could be "
            f"written to {backups} ({error}). Make room there or mend its permissions, then start "
            "again."
        ) from error
    logger.info("Before the upgrade of %s it was copied to %s.", path, made)
    return made


def _files(path: Path) -> list[Path]:
    """Return the database and what lies beside it under the names that bootstrap and engine use."""
    names = (path.name, "checkpoints.db", f"{path.stem}-checkpoints.db", "engine.db")
    return [path.parent / name for name in names if (path.parent / name).is_file()]


def _copy(source: Path, target: Path) -> None:
    target.touch(mode=0o600, exist_ok=False)
    try:
        with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
            read.backup(written)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # no room, no permission, locked
            raise
        shutil.copyfile(source, target)  # whatever it is, it is kept as it is


def _earlier(backups: Path) -> list[Path]:
    """Return the copies there are, the oldest first."""
    found = backups.glob("[0-9]*-schema-*") if backups.is_dir() else ()
    return sorted(found, key=lambda made: int(made.name.partition("-")[0]))
