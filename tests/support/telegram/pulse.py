"""Wakes everybody who waits for something to become true."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


class Pulse:
    """A heart that beats when something has changed; ``beats`` says how often it did."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self.beats = 0

    def beat(self) -> None:
        """Let everybody who waits look again."""
        self.beats += 1
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def next(self) -> None:
        """Wait for the next beat."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    async def until(self, look: Callable[[], Value], within: float) -> Value:
        """Look now and after each beat; return what was seen once it counts as true.

        Raises:
            TimeoutError: nothing was to be seen in that many seconds.
        """
        async with asyncio.timeout(within):
            while not (seen := look()):
                await self.next()
        return seen
