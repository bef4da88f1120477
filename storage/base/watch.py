"""Telling watchers that something may have been written."""

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable
from typing import Any


class ChangeWatch(AsyncGenerator[None, None]):
    """Yields once at the start and then whenever it was woken; wakes in between fold into one.

    Nothing has to be closed: a watch that nobody holds any more is forgotten.
    """

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._woken.set()
        self._ended = False

    async def asend(self, value: None) -> None:
        """Wait for the next change."""
        await self._woken.wait()
        if self._ended:
            raise StopAsyncIteration
        self._woken.clear()

    async def athrow(self, *error: Any) -> None:
        """End, as a generator does that catches nothing."""
        self.end()
        raise error[0]

    def wake(self) -> None:
        """Let it yield."""
        self._woken.set()

    def end(self) -> None:
        """Let it stop."""
        self._ended = True
        self._woken.set()


class Watches:
    """Every watch of one database.

    Args:
        on_first: called when there is somebody to tell again; starts what looks elsewhere.
    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self._watches: weakref.WeakSet[ChangeWatch] = weakref.WeakSet()
        self._on_first = on_first
        self._ended = False

    def __bool__(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._watches)

    def add(self) -> ChangeWatch:
        """Return a new watch; one of a closed database ends at once."""
        watch = ChangeWatch()
        if self._ended:
            watch.end()
            return watch
        self._watches.add(watch)
        self._on_first()
        return watch

    def wake(self) -> None:
        """Tell everybody."""
        for watch in self._watches:
            watch.wake()

    def end(self) -> None:
        """Let every watch stop."""
        self._ended = True
        for watch in self._watches:
            watch.end()
        self._watches.clear()
