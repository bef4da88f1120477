"""What people order for running turns (cancel, park) reaches them within a second."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress

from noctule.core.errors import NoctuleError
from noctule.core.ports.database import Database
from noctule.core.sessions.sessions import Order
from noctule.core.workers.patience import PASSING

_LOG = logging.getLogger(__name__)


class Orders:
    """Watches the turn rows of running turns for orders, whoever wrote them.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: dict[str, asyncio.Future[Order]] = {}
        self._pump: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while the block runs."""
        self._pump = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump

    @contextmanager
    def of(self, turn_id: str) -> Iterator[asyncio.Future[Order]]:
        """Yield a future that becomes the order somebody gives for a turn."""
        future: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._running[turn_id] = future
        try:
            yield future
        finally:
            del self._running[turn_id]
            future.cancel()

    async def _watch(self) -> None:
        async with aclosing(self._database.changes()) as changes:
            async for _ in changes:
                try:
                    await self._look()
                except PASSING as error:
                    self._database.patience.refused(error)
                except NoctuleError as error:
                    _LOG.warning("looking for orders failed and is tried again: %s", error)

    async def _look(self) -> None:
        waiting = [turn_id for turn_id, future in self._running.items() if not future.done()]
        if not waiting:
            return
        async with self._database.read() as work:
            orders = await work.turns.orders(waiting)
        for turn_id, order in orders.items():
            future = self._running.get(turn_id)
            if future is not None and not future.done():
                future.set_result(order)
