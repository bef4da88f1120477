"""Tables for people, laid out for the terminal they look at; piped they are as wide as they need.

Nothing a person would copy is ever broken: where a table is too wide, free text goes below its
row, then names are shortened, then the least important columns go below as well.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import click

from noctule.channels.terminal.screens.printable import shown

MOST_ROWS = 1_000_000_000
"""The most rows to ask for; far larger numbers are none to a database."""

_GAP = "  "
_INDENT = "    "
_LEAST_SHORTENED = 10


class CellFit(Enum):
    """What may happen to a cell that is too wide."""

    WHOLE = "whole"
    """Never broken: an id, a time, an outcome, an amount."""

    SHORTEN = "shorten"
    """Cut with an ellipsis: a name, a title."""

    BELOW = "below"
    """Written on lines of its own below the row: a reason, a remark."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Args:
        heading: what stands above it.
        fit: what happens where the terminal is too narrow.
        rank: the higher, the earlier it leaves the row for the lines below it; 0 stays.
        is_number: whether its cells are aligned to the right.
    """

    heading: str
    fit: CellFit = CellFit.WHOLE
    rank: int = 1
    is_number: bool = False


def print_table(
    columns: Sequence[Column | str], rows: Iterable[Sequence[str]], *, width: int | None = None
) -> None:
    """Print a table on stdout.

    Args:
        columns: a plain heading is a column that stays whole; with ``>`` before it, one of numbers.
        rows: a cell for each column. What a cell says is made one printable line.
        width: cells a line may have; None asks the terminal; piped, nothing bounds a line.
    """
    cells = [[" ".join(shown(cell).split()) for cell in row] for row in rows]
    if width is None and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
    table = _Table([_column(column) for column in columns], cells, width)
    for line in table.lines():
        click.echo(line)


def _column(column: Column | str) -> Column:
    if isinstance(column, Column):
        return column
    return Column(column.removeprefix(">"), is_number=column.startswith(">"))


class _Table:
    """A table with a decision of what stands in its rows, how wide, and what stands below."""

    def __init__(self, columns: list[Column], rows: list[list[str]], available: int | None) -> None:
        self._columns = columns
        self._rows = rows
        self._natural = [
            max(cell_width(text) for text in (column.heading, *(row[i] for row in rows)))
            for i, column in enumerate(columns)
        ]
        self._available = available
        self._inside = list(range(len(columns)))
        self._widths = dict(enumerate(self._natural))
        if available is not None:
            self._fit(available)

    def lines(self) -> Iterator[str]:
        """Yield the headings, then each row with what stands below it."""
        yield click.style(self._line([c.heading for c in self._columns]), bold=True)
        for row in self._rows:
            yield self._line(row)
            yield from self._below(row)

    def _fit(self, available: int) -> None:
        for column in self._leaving(CellFit.BELOW):
            if self._total() <= available:
                return
            self._inside.remove(column)
        while self._total() > available:
            self._shorten(available)
            if self._total() <= available:
                return
            leaving = self._leaving()
            if not leaving:
                return
            self._inside.remove(leaving[0])
            self._widths = dict(enumerate(self._natural))

    def _leaving(self, fit: CellFit | None = None) -> list[int]:
        """Return the columns that may leave the rows, the least important first."""
        may = [
            i
            for i in self._inside
            if self._columns[i].rank and (fit is None or self._columns[i].fit is fit)
        ]
        return sorted(may, key=lambda i: (-self._columns[i].rank, -i))

    def _shorten(self, available: int) -> None:
        """Make the widest of the columns that may be shortened narrower until the row fits."""
        flexible = [i for i in self._inside if self._columns[i].fit is CellFit.SHORTEN]
        while flexible and self._total() > available:
            widest = max(flexible, key=lambda i: self._widths[i])
            if self._widths[widest] <= _LEAST_SHORTENED:
                return
            self._widths[widest] -= 1

    def _total(self) -> int:
        return sum(self._widths[i] for i in self._inside) + len(_GAP) * (len(self._inside) - 1)

    def _line(self, row: Sequence[str]) -> str:
        parts = []
        for i in self._inside:
            text, width = shortened(row[i], self._widths[i]), self._widths[i]
            padding = " " * max(0, width - cell_width(text))
            parts.append(padding + text if self._columns[i].is_number else text + padding)
        return _GAP.join(parts).rstrip()

    def _below(self, row: Sequence[str]) -> Iterator[str]:
        outside = [i for i in range(len(row)) if i not in self._inside]
        pairs = [
            f"{self._columns[i].heading}: {row[i]}" if self._columns[i].heading else row[i]
            for i in outside
            if row[i] not in {"", "-"} and self._columns[i].fit is not CellFit.BELOW
        ]
        if pairs:
            yield from _wrapped(" · ".join(pairs), self._available)
        for i in outside:
            if row[i] not in {"", "-"} and self._columns[i].fit is CellFit.BELOW:
                yield from _wrapped(row[i], self._available)


def cell_width(text: str) -> int:
    """Return how many cells of a terminal a text takes; wide characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - only for text that is not ASCII

    return cell_len(text)


def shortened(text: str, width: int) -> str:
    """Return a text in at most so many cells, with an ellipsis where something was cut off."""
    if cell_width(text) <= width:
        return text
    kept = ""
    for character in text:
        if cell_width(kept + character) > width - 1:
            break
        kept += character
    return kept.rstrip() + "…"


def _wrapped(text: str, available: int | None) -> Iterator[str]:
    """Yield a text in lines of whole words, indented; a word longer than a line stays whole."""
    room = max((available or len(text) + len(_INDENT)) - len(_INDENT), 1)
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and cell_width(longer) > room:
            yield _INDENT + line
            longer = word
        line = longer
    if line:
        yield _INDENT + line
