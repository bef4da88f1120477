"""Shared slots: caps that hold across all workers of a database, not only in this process.

Who of this process goes next is decided by its own line
(:mod:`noctule.models.capacity.concurrency`). Whoever it lets go asks the database for room among
all workers. Where there is none the cap is closed here, so that the others in the line need not ask
as well, until a worker tells of room or a moment has passed: a cap costs a question every two
seconds at most while it is full and nothing is told.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from noctule.core.base.ids import new_id
from noctule.core.clock import Clock
from noctule.core.workers.permits import Permits
from noctule.models.capacity.concurrency import ConcurrencyLimiter, Slot, Ticket

_LOOK_AGAIN_S = 2.0
"""How soon a full cap is looked at again when nobody told of room: its holder may have died."""


class SharedSlots:
    """The line of this process, and its part in that of all workers.

    Args:
        caps: how many calls each cap admits at once; what is not named is not capped.
        clock: times the patience of those who wait.
        permits: room among all workers; None where only one process works.
        shared: what caps are called among all workers; those that are not named hold for this
            process alone.
    """

    def __init__(
        self,
        caps: Mapping[str, int],
        clock: Clock,
        permits: Permits | None = None,
        shared: Mapping[str, str] | None = None,
    ) -> None:
        self._here = ConcurrencyLimiter(caps, clock)
        self._caps = dict(caps)
        self._clock = clock
        self._permits = permits
        self._shared = {} if permits is None or shared is None else dict(shared)
        self._heard: Counter[str] = Counter()
        self._looking: dict[str, asyncio.Task[None]] = {}
        if permits is not None:
            permits.on_room(self._hear)

    def recap(self, caps: Mapping[str, int], shared: Mapping[str, str]) -> None:
        """Change the caps; calls that are under way count as before.

        Args:
            caps: how many calls each cap admits at once.
            shared: what caps are called among all workers.
        """
        self._caps = dict(caps)
        self._shared = {} if self._permits is None else dict(shared)
        self._here.recap(caps)

    def ticket(self, *, urgent: bool) -> Ticket:
        """Return a place at the end of the line; urgent ones go before the others."""
        return self._here.ticket(urgent=urgent)

    async def take(
        self,
        options: Sequence[Collection[str]],
        ticket: Ticket,
        *,
        patience_s: float | None,
    ) -> Slot | None:
        """Wait for room under all caps of one of several options, here and among all workers.

        Args:
            options: the caps of each way to go, best first.
            ticket: the place in the line; one call keeps its place however often it asks.
            patience_s: seconds to wait at most; 0 does not wait, None waits without end.

        Returns:
            The slot, to be released by the caller; None when patience ran out.

        Raises:
            NoctuleError: the database does not answer, and nobody is patient.
        """
        if self._permits is None:
            return await self._here.take(options, ticket, patience_s=patience_s)
        permit_id, until = new_id(self._clock), None
        if patience_s is not None:
            until = self._clock.monotonic() + patience_s
        slot = None
        try:
            slot = await self._take(options, ticket, permit_id, until, self._permits)
        finally:
            if slot is None:
                self._permits.give_back(permit_id)
        return slot

    async def _take(
        self,
        options: Sequence[Collection[str]],
        ticket: Ticket,
        permit_id: str,
        until: float | None,
        permits: Permits,
    ) -> Slot | None:
        while True:
            left_s = None if until is None else max(0.0, until - self._clock.monotonic())
            slot = await self._here.take(options, ticket, patience_s=left_s)
            if slot is None:
                return None
            shared = {
                self._shared[cap]: self._caps[cap] for cap in slot.caps if cap in self._shared
            }
            if not shared:
                return slot
            heard = self._heard.copy()
            try:
                full = await permits.take(permit_id, shared, rank=ticket.rank)
            except BaseException:
                slot.release()
                raise
            if not full:
                slot.on_release(partial(permits.give_back, permit_id))
                return slot
            self._close({cap for cap in full if self._heard[cap] == heard[cap]})
            slot.release()

    def _close(self, full: Collection[str]) -> None:
        for name in full:
            self._here.close([cap for cap, known in self._shared.items() if known == name])
            if name not in self._looking:
                self._looking[name] = asyncio.create_task(self._look_again(name))

    async def _look_again(self, name: str) -> None:
        await self._clock.sleep(_LOOK_AGAIN_S)
        del self._looking[name]
        self._open(name)

    def _hear(self, name: str) -> None:
        self._heard[name] += 1
        self._open(name)

    def _open(self, name: str) -> None:
        for cap, known in self._shared.items():
            if known == name:
                self._here.open(cap)

    async def close(self) -> None:
        """Look at nothing any more."""
        looking = list(self._looking.values())
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
