"""Hearing of what other processes write."""

from collections.abc import Callable
from typing import Any, Final

import psycopg

from noctule.core.clock import Clock
from storage.base.watch import Watches
from storage.postgres.transaction import CHANNEL

_PAUSE_SECONDS: Final = 1.0


class Listener:
    """Listens on a connection of its own, and connects again when it is lost.

    Args:
        connect: psycopg's connection arguments.
        watches: told of every commit of somebody else, and after every gap.
        own: the sender name of this process, whose commits the watches know already.
        clock: paces connecting again.
        on_loss: told why the connection was lost, or could not be made.
    """

    def __init__(
        self,
        connect: dict[str, Any],
        watches: Watches,
        own: str,
        clock: Clock,
        on_loss: Callable[[Exception], None],
    ) -> None:
        self._connect = connect
        self._watches = watches
        self._own = own
        self._clock = clock
        self._on_loss = on_loss

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                self._on_loss(error)
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(**self._connect, autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._watches.wake()  # something may have been written while nobody listened
            async for notice in connection.notifies():
                if notice.payload != self._own:
                    self._watches.wake()
