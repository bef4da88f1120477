"""The tables of a SQLite checkpoint file, and how a connection to it is set up."""

import sqlite3
from pathlib import Path

from noctule.core.errors import DatabaseTooNewError

LAYOUT = 2
"""Stored in ``user_version``; raised with every change of the tables."""
BUSY_MILLISECONDS = 30_000
"""How long to wait for another process that holds the write lock."""

TABLES = """
CREATE TABLE thread (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE namespace (
    key INTEGER PRIMARY KEY,
    thread INTEGER NOT NULL,
    name TEXT NOT NULL,
    root TEXT,
    UNIQUE (thread, name)
);
CREATE TABLE checkpoint (
    namespace INTEGER NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    parent TEXT,
    metadata BLOB NOT NULL,
    body BLOB NOT NULL,
    channels BLOB NOT NULL,
    refs BLOB NOT NULL,
    PRIMARY KEY (namespace, id)
) WITHOUT ROWID;
CREATE TABLE write (
    namespace INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    task TEXT NOT NULL,
    idx INTEGER NOT NULL,
    path TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload BLOB NOT NULL,
    refs BLOB NOT NULL,
    PRIMARY KEY (namespace, checkpoint, task, idx)
) WITHOUT ROWID;
CREATE TABLE element (
    thread INTEGER NOT NULL,
    digest BLOB NOT NULL,
    count INTEGER NOT NULL,
    part INTEGER NOT NULL,
    PRIMARY KEY (thread, digest)
) WITHOUT ROWID;
CREATE TABLE part (
    key INTEGER PRIMARY KEY,
    refs BLOB NOT NULL,
    payload BLOB NOT NULL
);
"""
# An element is the name and the reference count of a part. They are two tables because counts
# change at almost every step, and SQLite writes a row's long payload again with them.


def connect(path: Path) -> sqlite3.Connection:
    """Open a checkpoint file, and make its tables when it has none.

    Raises:
        DatabaseTooNewError: a newer Noctule wrote it.
        sqlite3.Error: it cannot be opened, or is not a database.
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MILLISECONDS / 1000)
    try:
        _configure(connection)
        _make_tables(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only before the first table
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: past the drive's own cache
    # Half of SQLite's default, which costs nothing measurable: a log of 2 MiB beside the file.
    connection.execute("PRAGMA wal_autocheckpoint = 500")
    connection.execute("PRAGMA journal_size_limit = 2097152")


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        _migrate(connection, path)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    if layout > LAYOUT:
        raise DatabaseTooNewError(
            f"{path} was written by a newer Noctule (layout {layout}, this one knows {LAYOUT}). "
            "Upgrade Noctule, or use another data folder."
        )
    if layout == 0:
        for statement in TABLES.split(";"):
            connection.execute(statement)
    elif layout == 1:
        connection.execute("ALTER TABLE thread ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0")
    if layout < LAYOUT:
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
