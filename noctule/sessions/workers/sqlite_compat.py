"""SQLite before 3.42 has no ``unixepoch('subsec')``, which DBOS expects it to have.

DBOS goes by Python's version (3.12 and later) where it should go by SQLite's: with a Python built
on a system whose SQLite is older, like Debian 12 with 3.40, its tables cannot be filled, since the
function gives NULL there. Seen in dbos 3.4.0. A connection of ours brings the function along.
"""

import sqlite3
from typing import Any

from noctule.core.clock import Clock

_FIRST_WITH_SUBSEC = (3, 42)


def is_missing() -> bool:
    """Whether this process's SQLite is too old to know it."""
    return sqlite3.sqlite_version_info < _FIRST_WITH_SUBSEC


def connection_type(clock: Clock) -> type[sqlite3.Connection]:
    """Return a kind of connection that knows it.

    Args:
        clock: the time it gives.
    """

    def unixepoch(modifier: object) -> float:
        if modifier != "subsec":
            raise ValueError(f"only 'subsec' is known, not {modifier!r}")
        return clock.now().timestamp()

    class Connection(sqlite3.Connection):
        """Has the function from its first statement on."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.create_function("unixepoch", 1, unixepoch)

    return Connection
