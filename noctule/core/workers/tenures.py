"""Tenures: the right to advance a session, and how everything that is stored says whose it was.

Each time somebody takes a session, its epoch rises. What a turn stores (steps, effects, rests,
events) carries the epoch of its tenure and is compared with the stored one in the same
transaction: whoever was superseded, by a cut connection, a frozen machine, a lease that ran out,
can store nothing more, however late it finds out.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noctule.core.errors import SupersededError

if TYPE_CHECKING:
    from noctule.core.ports.database import Database, UnitOfWork
    from noctule.core.workers.patience import Patience
    from noctule.core.workers.permits import Permits


@dataclass(frozen=True, slots=True, eq=False)
class Tenure:
    """One worker's time at one session.

    Args:
        session_id: which.
        epoch: how often the session was taken, this time included.
        lost: set as soon as it is known that another worker has taken the session.
    """

    session_id: str
    epoch: int
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self, epoch: int | None) -> None:
        """Compare it with the stored epoch of its session; None when none is stored.

        Raises:
            SupersededError: the session was taken since.
        """
        if epoch != self.epoch:
            self.lost.set()
            raise SupersededError(self.session_id)


class TenuredDatabase:
    """A database as whoever holds a session sees it: it may refuse every write.

    Args:
        database: where everything is kept.
        tenure: under which is written.
    """

    def __init__(self, database: "Database", tenure: Tenure) -> None:
        self._database = database
        self._tenure = tenure

    @property
    def patience(self) -> "Patience":
        """Whether it answers; tries again for whoever carries work."""
        return self._database.patience

    @property
    def permits(self) -> "Permits | None":
        """Room under caps that hold across workers; None where only one process works."""
        return self._database.permits

    def work(self, *, durable: bool = True, tenure: Tenure | None = None) -> "UnitOfWork":
        """Return a new unit of work whose commit is refused once the tenure is over."""
        return self._database.work(durable=durable, tenure=tenure or self._tenure)

    def read(self) -> "UnitOfWork":
        """Return a new unit of work that only reads."""
        return self._database.read()

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield once at the start and then whenever anybody may have written."""
        return self._database.changes()

    def session_lock(self, session_id: str) -> AbstractAsyncContextManager[Tenure]:
        """Hold the right to advance a session; waits for it."""
        return self._database.session_lock(session_id)

    async def session_is_free(self, session_id: str) -> bool:
        """Return whether nobody holds a session's lock at this moment."""
        return await self._database.session_is_free(session_id)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._database.close()
