import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from noctule.core.clock import ManualClock
from noctule.sessions.workers import sqlite_compat as subsec

NOW = datetime(2026, 11, 22, 4, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def connection():
    kind = subsec.connection_type(ManualClock(NOW))
    with closing(sqlite3.connect(":memory:", factory=kind)) as connection:
        yield connection


def test_a_default_of_a_column_may_use_it(connection):
    """A table whose default is the time in milliseconds is filled as on a newer SQLite."""
    connection.execute(
        "CREATE TABLE t (at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000), n INTEGER)"
    )
    connection.execute("INSERT INTO t (n) VALUES (1)")
    assert connection.execute("SELECT at FROM t").fetchone() == (NOW.timestamp() * 1000,)


def test_what_it_does_not_know_is_an_error(connection):
    """Another modifier is refused instead of being answered wrongly."""
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT unixepoch('auto')")


def test_it_is_missing_exactly_where_sqlite_does_not_have_it():
    """The version decides as SQLite itself does."""
    with closing(sqlite3.connect(":memory:")) as plain:
        (known,) = plain.execute("SELECT unixepoch('subsec')").fetchone()
    assert subsec.is_missing() is (known is None)
