"""The real command in a real pseudo-terminal, typed into and read like a person does."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[=>]|\x1b\(B")
_ASKS_WHERE_THE_CURSOR_IS = b"\x1b[6n"


class Terminal:
    """A process that believes to be on a terminal.

    Attributes:
        raw: every byte it has sent to the terminal.
    """

    def __init__(self, process: subprocess.Popen[bytes], leader: int) -> None:
        self.process = process
        self._leader = leader
        self.raw = b""
        self._seen = 0

    @property
    def shown(self) -> str:
        """Everything it has shown, without escape sequences."""
        return _ESCAPES.sub("", self.raw.decode(errors="replace")).replace("\r", "")

    def type(self, text: str) -> None:
        """Type text; a person's Enter is a carriage return."""
        os.write(self._leader, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C where the terminal turns it into a signal."""
        self.process.send_signal(signal.SIGINT)

    def press_interrupt(self) -> None:
        """Press Ctrl-C: the terminal echoes it if it echoes at all, and sends the signal."""
        os.write(self._leader, b"\x03")
        self.interrupt()  # it is nobody's controlling terminal, so that it sends none

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._leader)[3] & termios.ECHO)

    def wait_for(self, text: str, *, seconds: float = 60) -> None:
        """Read until text is shown that was not waited for before."""
        end = time.monotonic() + seconds
        while (at := self.shown.find(text, self._seen)) < 0:
            if time.monotonic() > end:
                raise AssertionError(f"{text!r} was not shown within {seconds} s:\n{self.shown}")
            if not self._take() and self.process.poll() is not None and not self._take():
                raise AssertionError(f"it ended without showing {text!r}:\n{self.shown}")
        self._seen = at + len(text)

    def ended(self, *, seconds: float = 60) -> int:
        """Read until it ends; return its exit code."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"it did not end within {seconds} s:\n{self.shown}")
            self._take()
        while self._take():
            pass
        return self.process.returncode

    def _take(self) -> bool:
        ready, _, _ = select.select([self._leader], [], [], 0.05)
        if not ready:
            return False
        try:
            piece = os.read(self._leader, 65536)
        except OSError:  # the other side has closed
            return False
        if _ASKS_WHERE_THE_CURSOR_IS in piece:
            os.write(self._leader, b"\x1b[40;1R")
        self.raw += piece
        return bool(piece)


@contextmanager
def terminal(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    columns: int = 100,
    stdout: IO[bytes] | None = None,
) -> Iterator[Terminal]:
    """Run ``noctule`` on a terminal; it is killed at the end if it still runs.

    Args:
        arguments: what stands behind ``noctule``.
        env: its variables.
        cwd: its folder.
        columns: how wide the terminal is; it has 40 rows.
        stdout: where its standard output goes; None means the terminal.
    """
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "noctule", *arguments],
        stdin=follower,
        stdout=follower if stdout is None else stdout,
        stderr=follower,
        env={**_without_size(env), "TERM": "xterm-256color"},
        cwd=cwd,
        start_new_session=True,
    )
    os.close(follower)
    try:
        yield Terminal(process, leader)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(leader)


def _without_size(env: Mapping[str, str]) -> dict[str, str]:
    """Return variables without those that would stand for the terminal's own size."""
    return {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}
