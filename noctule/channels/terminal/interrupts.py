"""Ctrl-C while a turn runs: the first press stops the turn, the second leaves at once."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self


@contextmanager
def handled(handlers: Mapping[signal.Signals, Callable[[], object]]) -> Iterator[None]:
    """Have signals handled on the running loop during the block; then as before.

    A signal that is ignored (under ``nohup``, or behind a shell's ``&``) stays ignored.

    Args:
        handlers: what is called for each signal.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in handlers}
    # None is a handler that was not set from Python, which could not be put back.
    ours = {n: was for n, was in before.items() if was not in {signal.SIG_IGN, None}}
    for number in ours:
        loop.add_signal_handler(number, handlers[number])
    try:
        yield
    finally:
        for number, was in ours.items():
            loop.remove_signal_handler(number)
            signal.signal(number, was)


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
        self._handled = ExitStack()

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
        handlers = {
            signal.SIGINT: self._press,
            signal.SIGTERM: self._leave,
            signal.SIGHUP: self._leave,
        }
        self._handled.enter_context(handled(handlers))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._handled.close()

    def _press(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop())
        else:
            self._leave()
