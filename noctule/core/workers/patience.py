"""Patience with storage that does not answer: what is to be stored waits, and people are told once.

A database that restarts, a disk that is full, a network that is cut off say nothing about the
work under way. Whoever carries work tries again, sooner first and then every few seconds, for as
long as it takes; one line tells that storage does not answer, and one that it does again.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from noctule.core.clock import Clock
from noctule.core.errors import DatabaseBusyError, NoctuleError, StorageUnavailableError
from noctule.core.times.durations import show_duration

if TYPE_CHECKING:
    from noctule.core.ports.database import Database, UnitOfWork

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
_BUSY_TRIES = 3
"""Two writers that meet are nothing to tell people, unless they meet again and again."""

_TELL_AGAIN_S = 60.0
"""How soon after one outage the next one has a line of its own."""

_LOOK_S = 0.5
"""How soon somebody who waits notices that nobody is patient any more."""

PASSING = (DatabaseBusyError, StorageUnavailableError)
"""What says nothing about the work it interrupts."""


class Patience:
    """What one process knows of its storage: whether it answers, and what people were told.

    Args:
        clock: paces what is tried again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None
        self._told_at: float | None = None
        self._told = False
        self._waiting = 0
        self._works = 0
        self._given_up = False
        self._tells: list[Callable[[str], None]] = []

    @property
    def is_out(self) -> bool:
        """Whether storage did not answer when it was last written to."""
        return self._since is not None

    def tells(self, tell: Callable[[str], None]) -> None:
        """Have somebody told, a line each, when storage goes away and when it answers again."""
        self._tells.append(tell)

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Be patient while the block runs: work is carried that must not end over this.

        Outside of it whoever asked is told at once, as a command should be. At its end whoever
        still waits is told, so that a process can stop while its storage is away.
        """
        self._works += 1
        self._given_up = False
        try:
            yield
        finally:
            self._works -= 1

    def give_up(self) -> None:
        """Let whoever waits for storage be told why, from now on: the process ends."""
        self._given_up = True

    async def keep_trying(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Return what an operation returns, tried until storage answers.

        Args:
            operation: begins anew each time it is called, and does no harm a second time.

        Raises:
            DatabaseBusyError: nobody is patient, and writers met again and again.
            StorageUnavailableError: nobody is patient.
        """
        for number, wait_s in enumerate(_waits()):
            try:
                result = await operation()
            except PASSING as error:
                if number >= _BUSY_TRIES or isinstance(error, StorageUnavailableError):
                    if self._given_up or not self._works:
                        raise
                    self.refused(error, lasts=True)
            else:
                if number:
                    self.answered()
                return result
            self._waiting += 1
            try:
                await self._pause(wait_s)
            finally:
                self._waiting -= 1
        raise AssertionError  # the waits have no end

    async def _pause(self, wait_s: float) -> None:
        while wait_s > 0 and not self._given_up:
            await self._clock.sleep(min(wait_s, _LOOK_S))
            wait_s -= _LOOK_S

    def refused(self, error: NoctuleError, *, lasts: bool = False) -> None:
        """Note that storage does not answer; told once for as long as it lasts.

        Args:
            error: what it said.
            lasts: whether it said so again and again; writers that met once are nothing to tell.
        """
        if self._since is not None or (isinstance(error, DatabaseBusyError) and not lasts):
            return
        now = self._since = self._clock.monotonic()
        self._told = self._told_at is None or now - self._told_at >= _TELL_AGAIN_S
        if self._told:
            self._told_at = now
            self._tell(f"{error} What is under way waits until then, and goes on by itself.")

    def answered(self) -> None:
        """Note that storage took something again."""
        if self._since is None:
            return
        away_s, self._since = self._clock.monotonic() - self._since, None
        if self._told:
            self._tell(f"Storage answers again after {show_duration(away_s)}; the work goes on.")

    def looked(self) -> None:
        """Note that storage was read: it answers again, unless somebody waits to write."""
        if not self._waiting:
            self.answered()

    def _tell(self, line: str) -> None:
        _LOG.warning("%s", line)
        for tell in self._tells:
            tell(line)


async def carry_out(
    database: "Database",
    operation: "Callable[[UnitOfWork], Awaitable[T]]",
    *,
    durable: bool = True,
) -> T:
    """Do something in a transaction of its own, for as long as it takes storage to answer.

    A commit whose answer is lost may have happened: the operation must do no harm a second time.

    Args:
        database: where.
        operation: what; called anew for each attempt.
        durable: as in ``Database.work``.
    """

    async def once() -> T:
        async with database.work(durable=durable) as work:
            result = await operation(work)
            await work.commit()
        return result

    return await database.patience.keep_trying(once)


async def look_up(database: "Database", question: "Callable[[UnitOfWork], Awaitable[T]]") -> T:
    """Read something, for as long as it takes storage to answer.

    Args:
        database: where.
        question: what; called anew for each attempt.
    """

    async def once() -> T:
        async with database.read() as work:
            return await question(work)

    return await database.patience.keep_trying(once)


def _waits() -> Iterator[float]:
    wait_s = FIRST_WAIT_S
    while True:
        yield wait_s
        wait_s = min(LONGEST_WAIT_S, 2 * wait_s)
