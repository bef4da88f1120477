"""Statements over many rows at once."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence

Row = Sequence[object]
Run = Callable[[str, Sequence[object]], sqlite3.Cursor]
MAX_PARAMETERS = 30_000
"""Under SQLite's own limit of 32,766 for one statement."""


def slices(rows: Sequence[Row]) -> Iterator[tuple[str, list[object]]]:
    """Yield ``(?,?),(?,?)`` with the values for it, as often as it takes."""
    if not rows:
        return
    width = len(rows[0])
    step = MAX_PARAMETERS // width
    for at in range(0, len(rows), step):
        some = rows[at : at + step]
        marks = ",".join(["(" + ",".join("?" * width) + ")"] * len(some))
        yield marks, [value for row in some for value in row]


def insert(run: Run, table: str, rows: Sequence[Row]) -> None:
    """Insert whole rows, in place of those with the same key."""
    for marks, values in slices(rows):
        run(f"INSERT OR REPLACE INTO {table} VALUES {marks}", values)  # noqa: S608 - table is a constant of ours


def delete(run: Run, table: str, columns: Sequence[str], keys: Sequence[Row]) -> None:
    """Delete the rows with one of the keys."""
    for marks, values in slices(keys):
        run(f"DELETE FROM {table} WHERE ({','.join(columns)}) IN (VALUES {marks})", values)  # noqa: S608 - names are constants of ours
