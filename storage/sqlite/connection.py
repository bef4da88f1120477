"""One connection to the SQLite file, set up as every one of ours must be."""

import sqlite3
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

BUSY_TIMEOUT_MS: Final = 30_000

# Plain commits do not wait for the disk; storage.sqlite.disk does, for many at once.
_SETTINGS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=4194304",
)


def make_engine(path: Path) -> sa.Engine:
    """Return an engine that opens a new connection each time; we keep the few there are."""
    engine = sa.create_engine(
        sa.URL.create("sqlite+pysqlite", database=str(path)),
        poolclass=NullPool,
        hide_parameters=True,  # errors must not carry what people wrote
        # isolation_level=None: we say BEGIN ourselves. Threads take turns, one at a time.
        connect_args={"isolation_level": None, "check_same_thread": False},
    )
    sa.event.listen(engine, "connect", _set_up)
    return engine


def raw(connection: sa.Connection) -> sqlite3.Connection:
    """Return the driver's connection under SQLAlchemy's."""
    found = connection.connection.driver_connection
    if not isinstance(found, sqlite3.Connection):
        raise TypeError(f"expected a SQLite connection, found {type(found)}")
    return found


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    for setting in _SETTINGS:
        connection.execute(setting)
