"""The emulator on a loop in a thread of its own, for tests that are not asynchronous.

For example, those of commands::

    with ThreadedTelegram() as telegram:
        anna = telegram.do(telegram.server.phone, "Anna")
        telegram.do(anna.says, "hello")
        answer = telegram.wait(anna.hears("You said hello"))
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.support.telegram.server import TelegramServer

Result = TypeVar("Result")

_STOP_SECONDS = 10.0


class ThreadedTelegram:
    """Runs a server in a thread; everything about it is done there.

    Args:
        given: the arguments of ``TelegramServer``.
    """

    def __init__(self, **given: Any) -> None:
        self.server = TelegramServer(**given)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="telegram")

    def __enter__(self) -> Self:
        """Start the thread and listen."""
        self._thread.start()
        self.wait(self.server.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up on everybody and end the thread."""
        self.wait(self.server.__aexit__(kind, error, traceback))
        self.wait(_settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)
        self._loop.close()

    def do(self, what: Callable[..., Result], *args: Any, **named: Any) -> Result:
        """Call something in the server's thread and return its result."""

        async def call() -> Result:
            return what(*args, **named)

        return self.wait(call())

    def wait(self, what: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the server's thread and return its result."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()


async def _settle() -> None:
    """End what connections left behind."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
