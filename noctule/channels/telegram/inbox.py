"""Inbox: an update is stored before Telegram is told that it arrived, and handled once.

Handling may be cut off by a kill and begun again, so whatever it does carries the update's number:
a turn its origin, a message its key.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from noctule.channels.telegram.places import Place
from noctule.core.clock import Clock
from noctule.core.errors import DatabaseBusyError, NoctuleError
from noctule.core.mail import Incoming
from noctule.core.ports import Database

_LOG = logging.getLogger(__name__)

TRIES = 3
"""How often the handling of one update is begun before it is given up."""

_WAIT_S = 1.0

Handler = Callable[[Incoming], Awaitable[None]]
"""Handles one update."""

GaveUp = Callable[[Incoming, str], Awaitable[None]]
"""Is told of an update whose handling was given up, and why."""


class Inbox:
    """Takes updates and has them handled, those of one place in order.

    Args:
        channel: what the database calls this bot's mail; numbers of two bots may be the same.
        database: where updates are stored.
        handler: handles one.
        gave_up: tells the person when one cannot be handled.
        clock: the time.
    """

    def __init__(
        self, channel: str, database: Database, handler: Handler, gave_up: GaveUp, clock: Clock
    ) -> None:
        self._channel = channel
        self._database = database
        self._handler = handler
        self._gave_up = gave_up
        self._clock = clock
        self._lanes: dict[str, asyncio.Queue[Incoming]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken: set[int] = set()

    async def take(self, payloads: Sequence[Mapping[str, Any]]) -> int | None:
        """Store updates as Telegram sent them, then have them handled.

        Returns:
            The number to ask for next; None when there was none.
        """
        updates = [
            Incoming(
                channel=self._channel,
                number=int(payload["update_id"]),
                place=place_of(payload),
                payload=payload,
                received_at=self._clock.now(),
            )
            for payload in payloads
        ]
        if not updates:
            return None
        async with self._database.work() as work:
            await work.inbox.add(updates)
            await work.commit()
        await self._dispatch()
        return max(update.number for update in updates) + 1

    async def start(self) -> None:
        """Go on with what an earlier process left."""
        await self._dispatch()

    async def close(self) -> None:
        """Stop; what is not handled is handled after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dispatch(self) -> None:
        async with self._database.read() as work:
            waiting = await work.inbox.waiting(self._channel)
        for update in waiting:
            if update.number not in self._taken:
                self._taken.add(update.number)
                self._lane(update.place).put_nowait(update)

    def _lane(self, place: str) -> asyncio.Queue[Incoming]:
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = asyncio.Queue()
            task = asyncio.create_task(self._work_off(place, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return lane

    async def _work_off(self, place: str, lane: "asyncio.Queue[Incoming]") -> None:
        while not lane.empty():
            update = lane.get_nowait()
            await self._handle(update)
            self._taken.discard(update.number)
        del self._lanes[place]  # nothing was awaited since it was found empty

    async def _handle(self, update: Incoming) -> None:
        tries, error = update.tries, ""
        while tries < TRIES:
            try:
                async with self._database.work(durable=False) as work:
                    await work.inbox.begin(self._channel, update.number)
                    await work.commit()
                tries += 1
                await self._handler(update)
            except DatabaseBusyError as busy:
                tries -= 1  # no fault of the update's
                _LOG.warning("update %d waits: %s", update.number, busy)
            except NoctuleError as said:
                error = str(said)
                _LOG.warning("update %d could not be handled: %s", update.number, said)
            except Exception as broke:  # noqa: BLE001 - it must not end its lane
                error = f"Something in Noctule broke ({type(broke).__name__})."
                _LOG.exception("update %d broke its handling", update.number)
            else:
                await self._done(update, None)
                return
            await self._clock.sleep(_WAIT_S)
        await self._give_up(update, error or "It was cut off by the end of the process each time.")

    async def _give_up(self, update: Incoming, error: str) -> None:
        try:
            await self._gave_up(update, error)
        except Exception:  # noqa: BLE001 - likewise
            _LOG.exception("nobody could be told that update %d was given up", update.number)
        await self._done(update, error)

    async def _done(self, update: Incoming, error: str | None) -> None:
        while True:
            try:
                async with self._database.work() as work:
                    await work.inbox.handled(
                        self._channel, update.number, at=self._clock.now(), error=error
                    )
                    await work.commit()
            except NoctuleError as busy:
                _LOG.warning("update %d was handled but not noted yet: %s", update.number, busy)
                await self._clock.sleep(_WAIT_S)
            else:
                return


def place_of(payload: Mapping[str, Any]) -> str:
    """Return the place an update belongs to; "" when it belongs to none."""
    for key in ("message", "edited_message", "callback_query", "my_chat_member"):
        found = payload.get(key)
        if isinstance(found, Mapping):
            message = found.get("message", found)
            chat = message.get("chat") if isinstance(message, Mapping) else None
            if not isinstance(chat, Mapping):
                return ""
            topic = message.get("message_thread_id") if message.get("is_topic_message") else None
            return str(Place(int(chat["id"]), topic))
    return ""
