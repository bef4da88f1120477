"""Finding the one row a person means by an id, or by the beginning or the end of one."""

from typing import Any

import sqlalchemy as sa

from noctule.core.base.ids import SHORTEST_ENDING
from noctule.core.errors import AmbiguousIdError, NotFoundError

_LAST = "\U0010ffff"


class ByTypedId:
    """Finds the row whose id is, or alone begins or ends like, what a person typed.

    Args:
        table: a table with a column ``id``.
        what: what its rows are called in an error.
        listing: the command that lists them.
    """

    def __init__(self, table: sa.Table, *, what: str, listing: str) -> None:
        self._table = table
        self._exact = sa.select(table).where(table.c.id == sa.bindparam("name"))
        self._begins = (
            sa.select(table)
            .where(table.c.id >= sa.bindparam("name"), table.c.id < sa.bindparam("end"))
            .limit(2)
        )
        self._what = what
        self._listing = listing

    def find(self, connection: sa.Connection, name: str) -> sa.Row[Any]:
        """Return the row.

        Raises:
            NotFoundError: no id begins or ends like that; several do (AmbiguousIdError).
        """
        row = connection.execute(self._exact, {"name": name}).first()
        if row is not None:
            return row
        if not name:
            raise self.missing(name)
        rows: list[sa.Row[Any]] = [
            *connection.execute(self._begins, {"name": name, "end": name + _LAST}),
            *self._ending(connection, name),
        ]
        if not rows:
            raise self.missing(name)
        if len({row.id for row in rows}) > 1:
            raise AmbiguousIdError(self._what, name, self._listing)
        return rows[0]

    def missing(self, name: str) -> NotFoundError:
        """Return the error for a name that fits no row."""
        return NotFoundError(self._what, name, self._listing)

    def _ending(self, connection: sa.Connection, name: str) -> list[sa.Row[Any]]:
        if len(name) < SHORTEST_ENDING:
            return []
        ends = sa.select(self._table).where(self._table.c.id.endswith(name, autoescape=True))
        return list(connection.execute(ends.limit(2)))
