"""Progress beside a pipe: what is going on, told on stderr while a reply is waited for."""

import asyncio
import math
from collections.abc import Callable
from typing import TextIO

from noctule.channels.terminal.screens.elapsed import since
from noctule.channels.terminal.screens.printable import printable

_REDRAWN_EVERY_S = 1.0
_TOLD_AFTER_S = 5.0
_ERASED = "\r\x1b[K"


class ProgressLine:
    """One line that is redrawn on a terminal; elsewhere a line for each phase that takes long.

    Args:
        stream: where it goes; never where replies go.
        width: the columns there are; a longer line could not be taken away again.
    """

    def __init__(self, stream: TextIO, width: Callable[[], int]) -> None:
        self._stream = stream
        self._width = width
        self._redraws = stream.isatty()
        self._text: str | None = None
        self._begun_s = 0.0
        self._is_drawn = False
        self._next: asyncio.TimerHandle | None = None

    def show(self, text: str | None) -> None:
        """Show what is going on; None ends it.

        Raises:
            RuntimeError: no event loop runs.
        """
        if text == self._text:
            return
        self.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._text = None if text is None else printable(text)
        if self._text is not None:
            loop = asyncio.get_running_loop()
            self._begun_s = loop.time()
            self._next = loop.call_later(
                _REDRAWN_EVERY_S if self._redraws else _TOLD_AFTER_S, self._tick
            )

    def clear(self) -> None:
        """Take the line away: something else is about to be written."""
        if self._is_drawn:
            self._write(_ERASED)
            self._is_drawn = False

    def _tick(self) -> None:
        if self._text is None:
            return
        if not self._redraws:
            self._write(f"{self._text} …\n")
            return
        loop = asyncio.get_running_loop()
        seconds = math.floor(loop.time() - self._begun_s)
        line = f"{self._text}{since(seconds)}"
        self._write(f"{_ERASED}{_cut(line, self._width() - 1)}")
        self._is_drawn = True
        self._next = loop.call_later(_REDRAWN_EVERY_S, self._tick)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # nobody looks any more: what is told here is told for them alone
            self._text = None


def _cut(line: str, columns: int) -> str:
    from rich.cells import set_cell_size  # noqa: PLC0415 - only where a terminal is redrawn

    return set_cell_size(line, columns).rstrip()
