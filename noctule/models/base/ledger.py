"""The ledger: what models cost and taught is written down, whatever becomes of the call.

Entries are handed over at once and written by a task of the ledger's own, everything that is
waiting in one transaction. So a call that is cancelled loses no row, and many calls at a time
share one commit. Storage that does not answer is waited for, with what waits kept in memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from noctule.core.errors import StorageUnavailableError
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.workers.patience import carry_out

Entry = Callable[[UnitOfWork], Awaitable[object]]
"""Something to do in a transaction, like ``lambda work: work.attempts.add(attempt)``."""


MOST_WAITING = 20_000
"""Entries that wait at most while storage does not answer; a busy hour has about a thousand."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pending:
    entry: Entry
    written: "asyncio.Future[None]"
    alone: bool = False


class Ledger:
    """Writes entries in the order in which they are handed over.

    Args:
        database: where they go.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: list[_Pending] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(self, entry: Entry) -> None:
        """Return when an entry is stored; being cancelled does not stop it from being stored.

        Raises:
            StorageUnavailableError: storage does not answer, and too many entries wait for it.
        """
        written = self.enter(entry)
        await asyncio.shield(written)

    def enter(self, entry: Entry, *, alone: bool = False) -> "asyncio.Future[None]":
        """Hand an entry over; the future is done when it is stored, or carries why it was not.

        Args:
            entry: what to do.
            alone: in a transaction of its own, for what locks before it writes.
        """
        pending = _Pending(entry, asyncio.get_running_loop().create_future(), alone)
        # An exception nobody awaits is not worth a warning: `write` shields, callers may be gone.
        pending.written.add_done_callback(_look_at)
        if len(self._pending) >= MOST_WAITING:
            pending.written.set_exception(_too_many())
            return pending.written
        self._pending.append(pending)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="ledger")
        return pending.written

    async def close(self) -> None:
        """Wait until everything handed over is stored."""
        while self._writer is not None:
            await asyncio.shield(self._writer)

    async def _write_all(self) -> None:
        try:
            while self._pending:
                batch, self._pending = _next_batch(self._pending)
                await self._write_together(batch)
        finally:
            self._writer = None
            for left in self._pending:
                left.written.cancel()
            self._pending = []

    async def _write_together(self, batch: Sequence[_Pending]) -> None:
        try:
            await self._transact(batch)
        except Exception as error:  # noqa: BLE001 - each entry is told what became of it
            if len(batch) == 1:
                _refuse(batch, error)
                return
            for pending in batch:  # one bad entry must not take the others with it
                await self._write_together([pending])
        except BaseException:
            for pending in batch:
                pending.written.cancel()
            raise
        else:
            for pending in batch:
                if not pending.written.done():
                    pending.written.set_result(None)

    async def _transact(self, batch: Sequence[_Pending]) -> None:
        async def all_of_it(work: UnitOfWork) -> None:
            for pending in batch:
                await pending.entry(work)

        # Survives a kill at once, and a power cut with the next commit that waits for the disk.
        await carry_out(self._database, all_of_it, durable=False)


def _too_many() -> StorageUnavailableError:
    return StorageUnavailableError(
        f"{MOST_WAITING:,} entries wait for storage that does not answer, and no more are kept in "
        "memory. Make the database answer again; what waits is written then."
    )


def _next_batch(pending: list[_Pending]) -> tuple[list[_Pending], list[_Pending]]:
    """Return what is written next in one transaction, and what comes after it."""
    if pending[0].alone:
        return pending[:1], pending[1:]
    end = next((place for place, one in enumerate(pending) if one.alone), len(pending))
    return pending[:end], pending[end:]


def _refuse(batch: Sequence[_Pending], error: Exception) -> None:
    for pending in batch:
        if not pending.written.done():
            pending.written.set_exception(error)


def _look_at(written: "asyncio.Future[None]") -> None:
    if not written.cancelled():
        written.exception()
