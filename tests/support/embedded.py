"""One llama.cpp server with the packaged weights for all tests that only ask it something.

Starting one reads 98 MB and takes half a second of a free machine; the tests of starting, dying and
closing start their own.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from noctule.core.clock import SystemClock
from noctule.models.embedded.options import EmbeddedOptions
from noctule.models.embedded.server import EmbeddedServer, ServerAddress

CONTEXT_TOKENS = 1024
"""Of each of its slots."""


class SharedServer:
    """Where the shared one listens, in the shape a client takes a server of its own; not closed."""

    def __init__(self, at: ServerAddress) -> None:
        self.at = at

    async def address(self) -> ServerAddress:
        return self.at

    async def close(self) -> None:
        """Leave it to the next test."""


@contextmanager
def running_embedded() -> Iterator[SharedServer]:
    """Run one on a loop and thread of its own, whatever loops come and go in the tests."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="embedded server of the tests")
    thread.start()
    server = EmbeddedServer(EmbeddedOptions(context_tokens=CONTEXT_TOKENS), clock=SystemClock())
    try:
        yield SharedServer(asyncio.run_coroutine_threadsafe(server.address(), loop).result())
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
