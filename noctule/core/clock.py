"""The one home of real time: everything that waits or asks the hour takes a Clock."""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_PAIRS = (("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"), ("CLOCK_MONOTONIC", "CLOCK_UPTIME_RAW"))
"""Clocks that go on and that stand still while a machine is suspended."""


class Clock(Protocol):
    """What a part needs to know of time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences mean anything."""
        ...

    def suspended_s(self) -> float:
        """Return seconds the machine has slept, standing still; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero and less only give way to other tasks."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def suspended_s(self) -> float:
        """Return what a clock that counts through a suspension is ahead of one that does not.

        Linux: CLOCK_BOOTTIME and CLOCK_MONOTONIC (clock_gettime(2)). macOS: CLOCK_MONOTONIC and
        CLOCK_UPTIME_RAW (clock_gettime(3)). Elsewhere the wall clock and the monotonic one, which
        a corrected wall clock drives apart too. Checked 2026-11.
        """
        for through, without in _PAIRS:
            if hasattr(time, through) and hasattr(time, without):
                through_s = time.clock_gettime(getattr(time, through))
                return through_s - time.clock_gettime(getattr(time, without))
        return time.time() - time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that stands still until it is moved; for tests and examples.

    Args:
        start: the first moment, aware; None means 2026-01-01 00:00 UTC.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._monotonic = 0.0
        self._suspended = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the moment it was moved to."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds it was moved in all."""
        return self._monotonic

    def suspended_s(self) -> float:
        """Return the seconds it was suspended in all."""
        return self._suspended

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody advances the clock far enough."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking sleepers in the order of their deadlines."""
        target = self._monotonic + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            deadline, _, future = heapq.heappop(self._sleepers)
            self._move(deadline - self._monotonic)
            if not future.done():
                future.set_result(None)
            await asyncio.sleep(0)
        self._move(target - self._monotonic)
        await asyncio.sleep(0)

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone, as when a machine's time is corrected."""
        self._now += timedelta(seconds=seconds)

    def suspend(self, seconds: float) -> None:
        """Let the machine stand still for a while, as a laptop does whose lid is closed."""
        self._now += timedelta(seconds=seconds)
        self._suspended += seconds

    def _move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class ScaledClock:
    """The machine's clock, run faster; for tests of parts that pace themselves.

    All three readings agree: a second slept is a second later, on the wall too. What keeps time by
    itself (HTTP time-outs, the engine's delays, other processes) goes on at its own pace.

    Args:
        factor: seconds of this clock in one of the machine's; more than 0.
    """

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._machine = SystemClock()
        self._began_at = self._machine.now()
        self._began = self._machine.monotonic()

    def now(self) -> datetime:
        """Return the moment of its making plus what has passed on it since."""
        passed = self._machine.monotonic() - self._began
        return self._began_at + timedelta(seconds=passed * self._factor)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds, times the factor."""
        return self._machine.monotonic() * self._factor

    def suspended_s(self) -> float:
        """Return the machine's own."""
        return self._machine.suspended_s()

    async def sleep(self, seconds: float) -> None:
        """Wait that long on this clock."""
        await self._machine.sleep(seconds / self._factor)
