"""Which screen fits the streams of this process."""

import os
import sys

from noctule.channels.terminal.screens.plain import PlainScreen
from noctule.channels.terminal.screens.progress import ProgressLine
from noctule.channels.terminal.screens.screen import Screen

_COLUMNS = 80


def open_screen(*, all_on_stdout: bool = False) -> Screen:
    """Return a screen that is redrawn on a terminal, and plain streams everywhere else.

    Args:
        all_on_stdout: where it is plain, whether lines about replies stand among them instead of
            on stderr.
    """
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415 - pipes do not need it

        from noctule.channels.terminal.screens.live import LiveScreen  # noqa: PLC0415 - likewise

        console = Console(file=sys.stdout, highlight=False)
        if not console.is_dumb_terminal:
            return LiveScreen(console)
    if all_on_stdout:
        return PlainScreen(sys.stdout, sys.stdout)
    return PlainScreen(sys.stdout, sys.stderr, ProgressLine(sys.stderr, _stderr_columns))


def _stderr_columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS
