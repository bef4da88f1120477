"""The seam between the stores, written once, and the two ways of reaching a database."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")


class Transaction(Protocol):
    """One transaction; the stores of a unit of work share it.

    Everything here may raise ``DatabaseBusyError``, ``StorageError`` and, for what
    should not be possible, ``OurBugError``; never an exception of SQLAlchemy or a driver.
    """

    async def start(self) -> None:
        """Begin; on SQLite a writing one takes the write lock."""
        ...

    async def run(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Carry out something short: a few statements, a few hundred rows."""
        ...

    async def run_long(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Carry out something that may take long, without holding up the event loop."""
        ...

    async def commit(self) -> None:
        """Make everything since the start or the last commit durable."""
        ...

    async def end(self) -> None:
        """Undo what was not committed and let go of the connection."""
        ...
