"""The keyboard while something is redrawn: what is typed is kept for later and not shown."""

import sys
from typing import Any

try:
    import termios
except ImportError:  # Windows: its console is not echoed into what is redrawn
    termios = None  # type: ignore[assignment]

_LOCAL_FLAGS = 3
"""Where ``tcgetattr`` puts the flags of which ECHO is one."""


class Keyboard:
    """The terminal's echo, switched off for a while.

    Echoed characters, an Enter or the ``^C`` of an interrupt move the cursor behind the back of
    whoever redraws, and lines appear twice. Typed text stays in the terminal's queue, and the
    next prompt gets it.
    """

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    def hush(self) -> None:
        """Show nothing of what is typed; does nothing where stdin is no terminal."""
        if termios is None or self._before is not None or not _is_terminal():
            return
        try:
            before = termios.tcgetattr(sys.stdin.fileno())
            silent: list[Any] = list(before)
            silent[_LOCAL_FLAGS] &= ~(termios.ECHO | termios.ECHONL)
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, silent)
        except (termios.error, OSError):  # a background job may not change its terminal
            return
        self._before = before

    def restore(self) -> None:
        """Leave it as it was found."""
        if self._before is None:
            return
        before, self._before = self._before, None
        try:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, before)
        except (termios.error, OSError):
            return


def _is_terminal() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # closed
        return False
