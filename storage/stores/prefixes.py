"""Finding one row by a unique beginning of its id."""

from typing import Any

import sqlalchemy as sa

from noctule.core.errors import NotFoundError

_LAST = "\U0010ffff"


class ByPrefix:
    """Finds the row whose id is, or alone begins like, what a person typed.

    Args:
        table: a table with a column ``id``.
        what: what its rows are called in an error.
        listing: the command that lists them.
    """

    def __init__(self, table: sa.Table, *, what: str, listing: str) -> None:
        self._exact = sa.select(table).where(table.c.id == sa.bindparam("name"))
        self._alike = (
            sa.select(table)
            .where(table.c.id >= sa.bindparam("name"), table.c.id < sa.bindparam("end"))
            .limit(2)
        )
        self._what = what
        self._listing = listing

    def find(self, connection: sa.Connection, name: str) -> sa.Row[Any]:
        """Return the row.

        Raises:
            NotFoundError: no id begins like that, or several do.
        """
        row = connection.execute(self._exact, {"name": name}).first()
        if row is not None:
            return row
        rows = connection.execute(self._alike, {"name": name, "end": name + _LAST}).all()
        if len(rows) != 1 or not name:
            raise self.missing(name)
        return rows[0]

    def missing(self, name: str) -> NotFoundError:
        """Return the error for a name that fits no row."""
        return NotFoundError(self._what, name, self._listing)
