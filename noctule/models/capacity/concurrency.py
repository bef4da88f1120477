"""Slots: how many calls may run at once, and in which order the others wait.

A call needs room under all its caps together (role, model, endpoint). It takes them all in one
step or none, so nobody holds one cap while waiting for another and no two calls can wait for
each other. Whoever is ready goes, unless somebody before them in the line was overtaken too
often: then what that one needs is kept free.
"""

import asyncio
import itertools
from bisect import insort
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from noctule.core.clock import Clock

OVERTAKEN_AT_MOST = 8
"""How often a waiting call lets later ones of its kind by before room is kept for it."""


@dataclass(frozen=True, slots=True, order=True)
class Ticket:
    """A place in the line; the smaller one goes first.

    Args:
        rank: 0 for what a person sits waiting for, 1 for everything else.
        number: counts the calls as they come.
    """

    rank: int
    number: int


class Slot:
    """The right to send one request; also a context manager that gives it back.

    Args:
        owner: where it goes back to.
        option: which of the options asked for it is, counted from 0.
        caps: the caps it counts against.
    """

    __slots__ = ("_owner", "_released", "caps", "option")

    def __init__(self, owner: "ConcurrencyLimiter", option: int, caps: Collection[str]) -> None:
        self._owner: ConcurrencyLimiter | None = owner
        self._released: Callable[[], None] | None = None
        self.caps = caps
        self.option = option

    def on_release(self, tell: Callable[[], None]) -> None:
        """Have somebody told, once, when it is given back."""
        self._released = tell

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        if self._released is not None:
            self._released()
        if self.caps:
            owner._give_back(self.caps)  # noqa: SLF001 - the two are one thing in two classes

    def __enter__(self) -> Self:
        """Hold it for a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        self.release()


@dataclass(slots=True, eq=False)
class _Waiter:
    ticket: Ticket
    options: Sequence[Collection[str]]
    turn: "asyncio.Future[Slot | None]"
    caps: frozenset[str] = field(init=False)
    overtaken: int = 0

    def __post_init__(self) -> None:
        self.caps = frozenset(itertools.chain.from_iterable(self.options))

    def place(self) -> Ticket:
        return self.ticket


class ConcurrencyLimiter:
    """All caps of one process and the one line before them.

    Args:
        caps: how many calls each cap admits at once; what is not named is not capped.
        clock: times the patience of those who wait.
    """

    def __init__(self, caps: Mapping[str, int], clock: Clock) -> None:
        self._caps = dict(caps)
        self._clock = clock
        self._used: Counter[str] = Counter()
        self._closed: set[str] = set()
        self._numbers = itertools.count()
        self._line: list[_Waiter] = []

    def ticket(self, *, urgent: bool) -> Ticket:
        """Return a place at the end of the line.

        Args:
            urgent: True goes before everybody who is not.
        """
        return Ticket(0 if urgent else 1, next(self._numbers))

    def used(self, cap: str) -> int:
        """Return how many calls count against a cap at this moment."""
        return self._used[cap]

    @property
    def waiting(self) -> int:
        """How many calls are in the line."""
        return len(self._line)

    def close(self, caps: Collection[str]) -> None:
        """Admit nobody under some caps, whatever room there is here: elsewhere there is none."""
        self._closed.update(caps)

    def recap(self, caps: Mapping[str, int]) -> None:
        """Change how many calls each cap admits; those that are under way count as before."""
        self._caps = dict(caps)
        self._serve()

    def open(self, cap: str) -> None:
        """Admit calls under a cap again, as far as there is room."""
        if cap in self._closed:
            self._closed.discard(cap)
            self._serve()

    async def take(
        self,
        options: Sequence[Collection[str]],
        ticket: Ticket,
        *,
        patience_s: float | None,
    ) -> Slot | None:
        """Wait for room under all caps of one of several options.

        Args:
            options: the caps of each way to go, best first.
            ticket: the place in the line; one call keeps its place however often it asks.
            patience_s: seconds to wait at most; 0 does not wait, None waits without end.

        Returns:
            The slot, to be released by the caller; None when patience ran out.
        """
        wanted = [[cap for cap in caps if cap in self._caps] for caps in options]
        if not self._line:
            slot = self._admit(wanted, Counter())
            if slot is not None:
                return slot
        waiter = _Waiter(ticket, wanted, asyncio.get_running_loop().create_future())
        insort(self._line, waiter, key=_Waiter.place)
        self._serve()
        if not waiter.turn.done() and patience_s is not None and patience_s <= 0:
            self._leave(waiter)
            return None
        return await self._await_turn(waiter, patience_s)

    async def _await_turn(self, waiter: _Waiter, patience_s: float | None) -> Slot | None:
        if waiter.turn.done():
            return waiter.turn.result()
        timer = None
        if patience_s is not None:
            timer = asyncio.create_task(self._lose_patience(waiter, patience_s))
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            # The turn may have come in the same step in which the caller was cancelled.
            if waiter.turn.done() and not waiter.turn.cancelled():
                slot = waiter.turn.result()
                if slot is not None:
                    slot.release()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._leave(waiter)

    async def _lose_patience(self, waiter: _Waiter, patience_s: float) -> None:
        await self._clock.sleep(patience_s)
        if not waiter.turn.done():
            waiter.turn.set_result(None)

    def _leave(self, waiter: _Waiter) -> None:
        if waiter in self._line:
            self._line.remove(waiter)
            self._serve()  # what was kept free for it may serve somebody else

    def _give_back(self, caps: Collection[str]) -> None:
        self._used.subtract(caps)
        self._serve()

    def _serve(self) -> None:
        """Let everybody go who can, in the order of the line."""
        kept: Counter[str] = Counter()
        passed: list[_Waiter] = []
        for waiter in list(self._line):
            if waiter.turn.done():  # cancelled or out of patience, about to leave by itself
                continue
            slot = self._admit(waiter.options, kept)
            if slot is None:
                if waiter.overtaken >= OVERTAKEN_AT_MOST:
                    kept.update(waiter.options[0])
                passed.append(waiter)
                continue
            self._line.remove(waiter)
            waiter.turn.set_result(slot)
            taken = waiter.options[slot.option]
            for other in passed:
                other.overtaken += not other.caps.isdisjoint(taken)

    def _admit(self, options: Sequence[Collection[str]], kept: Counter[str]) -> Slot | None:
        for number, caps in enumerate(options):
            if all(cap not in self._closed and self._has_room(cap, kept) for cap in caps):
                self._used.update(caps)
                return Slot(self, number, caps)
        return None

    def _has_room(self, cap: str, kept: Counter[str]) -> bool:
        most = self._caps.get(cap)  # None: it was taken away while the call was in the line
        return most is None or self._used[cap] + kept[cap] < most
