"""The border of a process to its terminal: nothing that steers one gets past it.

Whoever prints makes what others wrote printable where it is put together. This stands behind all of
them: whatever was forgotten there cannot set a title, reach the clipboard, ask the terminal for
answers or turn text around. What our own pages need (colours, redrawn lines) comes through, on a
terminal alone.
"""

import re
from typing import Any, TextIO

from noctule.core.base.printable import STEERING

_OURS = r"\x1b\[(?:[0-9;]{0,32}m|[0-9]{0,4}[ABCDGK]|\?25[hl]|\?2004[hl])"
_ON_A_TERMINAL = re.compile(rf"({_OURS}|\r)|{STEERING.pattern}")
_ELSEWHERE = re.compile(rf"(\r(?=\n))|\x1b\[[0-?]*[ -/]*[@-~]|{STEERING.pattern}")


class Border:
    """A stream of text that passes on what a terminal may be given.

    Args:
        stream: a standard stream of the process.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._let = _ON_A_TERMINAL if stream.isatty() else _ELSEWHERE

    def write(self, text: str) -> int:
        """Write a text; return how many characters were taken."""
        self._stream.write(self._let.sub(_kept, text) if STEERING.search(text) else text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Return anything else of the stream."""
        return getattr(self._stream, name)


def _kept(found: re.Match[str]) -> str:
    return found[1] or ""
