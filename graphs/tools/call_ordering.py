"""Sequence: calls of one reply that change something happen in the order the model wrote them.

Models write a file and run it in one reply. Calls that only read run at the same time; one that
may change something waits for all before it, and whatever follows waits for it. A call that goes
to sleep on a question holds nobody up.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from noctule.core.clock import Clock


@dataclass(slots=True)
class _Place:
    """A call that is at work or waits for its turn."""

    number: int
    changes: bool
    over: asyncio.Event = field(default_factory=asyncio.Event)


class CallOrdering:
    """The calls under way, by the reply they stand in."""

    def __init__(self) -> None:
        self._replies: dict[str, list[_Place]] = {}

    @asynccontextmanager
    async def turn(
        self, reply: str, number: int, *, changes: bool, clock: Clock
    ) -> AsyncIterator[None]:
        """Wait for the calls before this one, as far as need be, and hold up those behind it.

        After a crash only the calls that are left are entered again: nobody waits for others.

        Args:
            reply: which, unique among sessions.
            number: the place of the call in it.
            changes: whether it may change something.
            clock: lets the other calls of the reply enter first.
        """
        place = _Place(number, changes)
        self._replies.setdefault(reply, []).append(place)
        try:
            await clock.sleep(0)
            for other in list(self._replies[reply]):
                if other.number < number and (changes or other.changes):
                    await other.over.wait()
            yield
        finally:
            place.over.set()
            self._replies[reply].remove(place)
            if not self._replies[reply]:
                del self._replies[reply]
