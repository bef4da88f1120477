"""Ctrl-C while a turn runs: the first press stops the turn, the second leaves at once."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self


class Interrupts:
    """Takes SIGINT over for a block of asynchronous code in the main thread.

    Args:
        stop: is run at the first press.
        leave: is called at the second, and when the process is told to end (SIGTERM, SIGHUP).
    """

    def __init__(
        self, stop: Callable[[], Coroutine[Any, Any, object]], leave: Callable[[], object]
    ) -> None:
        self._stop = stop
        self._leave = leave
        self._stopping: asyncio.Task[object] | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def pressed(self) -> bool:
        """Whether somebody pressed Ctrl-C."""
        return self._stopping is not None

    async def settle(self) -> None:
        """Wait until what the first press began is done.

        Raises:
            NoctuleError: it could not be done.
        """
        if self._stopping is not None:
            await self._stopping

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number, handler in (
            (signal.SIGINT, self._press),
            (signal.SIGTERM, self._leave),
            (signal.SIGHUP, self._leave),
        ):
            before = signal.getsignal(number)
            if before not in {signal.SIG_IGN, None}:  # under nohup, or behind a shell's &
                self._before[number] = before
                loop.add_signal_handler(number, handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        for number, before in self._before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, before)

    def _press(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop())
        else:
            self._leave()
