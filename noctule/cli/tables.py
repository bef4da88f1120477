"""Tables for people, as wide as the terminal; piped they are as wide as what is in them."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from io import StringIO

import click

from noctule.channels.terminal.printable import printable

_PIPED_WIDTH = 2000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout.

    Args:
        columns: headings; one that begins with ``>`` is a column of numbers.
        rows: a cell for each column. What a cell says is made one printable line.
    """
    from rich.console import Console  # noqa: PLC0415 - not for --json
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        numbers = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if numbers else "left",
            no_wrap=numbers,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(" ".join(printable(cell).split())) for cell in row))
    at_terminal = sys.stdout.isatty()
    out = StringIO()
    Console(
        file=out,
        width=shutil.get_terminal_size().columns if at_terminal else _PIPED_WIDTH,
        force_terminal=at_terminal,
        highlight=False,
    ).print(table)
    for line in out.getvalue().splitlines():
        click.echo(line.rstrip())
