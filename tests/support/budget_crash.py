"""A ``noctule`` that kills itself at one point of paying for its first call to a model.

    python -m tests.support.budget_crash POINT PORT run hello

It is the real command: only what Python tells of connections and SQL statements is listened to.
The points, in the order in which a call comes to them: ``in-hold`` and, after it, ``before-call``;
``before-leaving``, connected, with the note that the request leaves not stored yet;
``before-settle`` with the answer there; ``in-settle`` with one row of several written,
``before-commit`` with all of them; ``after-settle``.
"""

import os
import signal
import sqlite3
import sys
from typing import Any

POINTS = (
    "in-hold",
    "before-call",
    "before-leaving",
    "before-settle",
    "in-settle",
    "before-commit",
    "after-settle",
)
"""In the order in which a call comes to them."""

_WRITES = ("INSERT INTO budget_", "UPDATE budget_", "DELETE FROM budget_")
_CONNECTED = 2


class Killer:
    """Follows a call and ends the process when it has come to its point.

    Args:
        point: where.
        port: where the provider listens; the first connection to it is the call.
    """

    def __init__(self, point: str, port: int) -> None:
        self._point = point
        self._port = port
        self._called = False
        self._sent = False
        self._writes = 0
        self._settled = False
        self._connect = sqlite3.dbapi2.connect

    def listen(self) -> None:
        """Listen from now on."""
        sqlite3.connect = self._watched  # type: ignore[assignment]  # same signature
        sqlite3.dbapi2.connect = self._watched  # type: ignore[assignment]  # likewise
        sys.addaudithook(self._heard)

    def _watched(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = self._connect(*args, **kwargs)
        connection.set_trace_callback(self._read)
        return connection

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "socket.connect" or args[1][1:_CONNECTED] != (self._port,):
            return
        self._reached("before-call")
        self._called, self._writes = True, 0

    def _read(self, statement: str) -> None:
        if self._settled:
            self._reached("after-settle")
        if self._sent and "budget_windows" in statement:
            self._reached("before-settle")
        if statement.startswith(_WRITES):
            self._writes += 1
            if self._sent and self._writes == 2:
                self._reached("in-settle")
        if statement.startswith("COMMIT") and self._writes:
            self._reached(self._commits())
            self._settled, self._sent, self._writes = self._sent, self._called, 0

    def _commits(self) -> str:
        if self._sent:
            return "before-commit"
        return "before-leaving" if self._called else "in-hold"

    def _reached(self, point: str) -> None:
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


def _main() -> None:
    _, point, port, *words = sys.argv
    Killer(point, int(port)).listen()
    sys.argv = ["noctule", *words]
    from noctule.cli.main import main  # noqa: PLC0415 - after the hooks are there

    main()


if __name__ == "__main__":
    _main()
