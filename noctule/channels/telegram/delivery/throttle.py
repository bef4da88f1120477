"""Pace: how often something may be sent to one chat."""

import asyncio
from collections import defaultdict

from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.core.clock import Clock

SECONDS_PER_MESSAGE = 1.0
"""Telegram takes about one message or edit a second per chat (Bots FAQ, "My bot is hitting
limits"); 30 a second in all and 20 a minute per group are kept by ``AIORateLimiter``."""


class Pace:
    """Spreads messages and edits to the same chat; whoever asks first goes first.

    Args:
        clock: the time.
        seconds: between two of them.
    """

    def __init__(self, clock: Clock, seconds: float = SECONDS_PER_MESSAGE) -> None:
        self._clock = clock
        self._seconds = seconds
        self._free_at: dict[int, float] = {}
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.streams = 0

    async def wait(self, place: ChatRef) -> None:
        """Wait until the next message or edit may go to a chat, and take that turn."""
        async with self._locks[place.chat]:
            wait = self._free_at.get(place.chat, 0.0) - self._clock.monotonic()
            if wait > 0:
                await self._clock.sleep(wait)
            self._free_at[place.chat] = self._clock.monotonic() + self._seconds

    def is_free(self, place: ChatRef) -> bool:
        """Whether something could go to a chat at this moment, and nobody waits for it."""
        lock = self._locks[place.chat]
        return not lock.locked() and self._free_at.get(place.chat, 0.0) <= self._clock.monotonic()

    def hold(self, place: ChatRef, seconds: float) -> None:
        """Send nothing to a chat for some seconds: Telegram said so."""
        until = self._clock.monotonic() + seconds
        self._free_at[place.chat] = max(until, self._free_at.get(place.chat, 0.0))

    def edit_seconds(self, least: float) -> float:
        """Return how long a stream waits between two edits, so that all together stay in bounds.

        Args:
            least: the wait when few chats stream.
        """
        return max(least, self.streams / EDITS_PER_SECOND)


EDITS_PER_SECOND = 20.0
"""How many edits all streams make together: a third of what Telegram takes is left to answers."""
