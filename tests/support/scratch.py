"""A database that a test makes in one line: a SQLite file, copied from one that is migrated."""

import atexit
import itertools
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from noctule.core.clock import Clock, SystemClock
from storage.sqlite.connection import make_engine
from storage.sqlite.database import SqliteDatabase, prepare

_MEMORY = Path("/dev/shm")
_THREADS = 4
_numbers = itertools.count(1)
_open: list[SqliteDatabase] = []


def scratch_database(clock: Clock | None = None) -> SqliteDatabase:
    """Return an empty database of the caller's own, at the newest version.

    ``close_scratch`` closes it, if nobody did before.

    Args:
        clock: None means the real one.
    """
    path = _folder() / f"{next(_numbers)}.db"
    shutil.copyfile(migrated_file(), path)
    executor = ThreadPoolExecutor(_THREADS)
    database = SqliteDatabase(path, make_engine(path), executor, clock or SystemClock())
    _open.append(database)
    return database


def close_scratch() -> None:
    """Close every database that was made, and remove its file."""
    while _open:
        _open.pop().close_now()
    for path in _folder().glob("*.db*"):
        if path != migrated_file():
            path.unlink()


@cache
def migrated_file() -> Path:
    """Return a SQLite file at the newest version, to be copied."""
    path = _folder() / "migrated.db"
    engine = make_engine(path)
    prepare(path, engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@cache
def _folder() -> Path:
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="noctule-scratch-", dir=where))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
