"""A screen of streams that are only appended to: pipes, files, terminals that cannot be redrawn."""

import os
from typing import TextIO

from noctule.channels.terminal.screens.printable import printable
from noctule.channels.terminal.screens.progress import ProgressLine


class PlainScreen:
    """Replies go to one stream as they come, everything else to another.

    When the reader of a stream has gone, nothing more is written to it: the turn goes on, because
    its reply is stored in any case.

    Args:
        out: where replies go.
        err: where lines about them go.
        progress: tells what is going on while nothing is said; None does not.
    """

    def __init__(self, out: TextIO, err: TextIO, progress: ProgressLine | None = None) -> None:
        self._out = out
        self._err = err
        self._gone: set[TextIO] = set()
        self._open = False
        self._at_line_start = True
        self._title: str | None = None
        self._progress = progress

    def status(self, text: str | None) -> None:
        """Tell it beside the replies, where there is such a place."""
        if self._progress is not None:
            self._progress.show(text)

    def begin(self, title: str | None) -> None:
        """Begin a block, its title on a line of its own."""
        self.end()
        self._open = True
        self.status(None)
        if title is not None and title != self._title:
            self._say(f"{title}:\n")
        self._title = title

    def text(self, piece: str) -> None:
        """Write it at once."""
        self._say(printable(piece))

    def end(self) -> None:
        """End the block's last line."""
        if self._open and not self._at_line_start:
            self._say("\n")
        if self._open and self._title is not None:
            self._say("\n")
        self._open = False

    def take_back(self, why: str) -> None:
        """Say that the block does not count."""
        if self._open and not self._at_line_start:
            self._say("\n")
        self._open = False
        self._say(f"[discarded: {printable(why)}]\n")

    def note(self, text: str) -> None:
        """Write a line."""
        self._close_line()
        self._write(self._err, f"{printable(text)}\n")

    def problem(self, text: str) -> None:
        """Write a line."""
        self.note(text)

    def aside(self) -> "PlainScreen":
        """Return a screen that leaves the stream of replies alone."""
        return self if self._out is self._err else PlainScreen(self._err, self._err)

    def close(self) -> None:
        """End the block."""
        self.end()
        self.status(None)

    def _say(self, text: str) -> None:
        if text:
            self._write(self._out, text)
            self._at_line_start = text.endswith("\n")

    def _close_line(self) -> None:
        if self._out is self._err and not self._at_line_start:
            self._say("\n")

    def _write(self, stream: TextIO, text: str) -> None:
        if stream in self._gone:
            return
        if self._progress is not None:
            self._progress.clear()
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError:
            self._gone.add(stream)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
