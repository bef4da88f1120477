"""Inbox: an update is stored before Telegram is told that it arrived, and handled once.

Handling may be cut off by a kill and begun again, so whatever it does carries the update's number:
a turn its origin, a message its key.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeGuard

from telegram.error import BadRequest, NetworkError, RetryAfter

from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.channels.telegram.delivery.log_redaction import trail
from noctule.channels.telegram.inbound.bundles import HOLD, goes_on, may_go_on
from noctule.channels.telegram.inbound.raw_updates import UnreadableError, raw_updates
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError
from noctule.core.messaging.messages import InboxUpdate
from noctule.core.ports.database import Database
from noctule.core.workers.patience import PASSING

_LOG = logging.getLogger(__name__)

TRIES = 3
"""How often one process begins to handle an update before it gives it up."""

CUT_OFFS = 12
"""How often it may have been begun in all: an update that ends the process each time ends here."""

_PLACED = ("message", "edited_message", "callback_query", "my_chat_member", "message_reaction")
_WAIT_S = 1.0
_PATIENCE_S = 600.0
"""How long handling waits for Telegram, which has the files people sent."""

Handler = Callable[[Sequence[InboxUpdate]], Awaitable[None]]
"""Handles the updates that are one thing somebody said: nearly always one."""

Glance = Callable[[Mapping[str, Any]], None]
"""Sees an update the moment it is there; what it does may be lost."""

GaveUp = Callable[[InboxUpdate, str], Awaitable[None]]
"""Is told of an update whose handling was given up, and why."""


class Inbox:
    """Takes updates and has them handled, those of one place in order.

    Args:
        channel: what the database calls this bot's mail; numbers of two bots may be the same.
        database: where updates are stored.
        handler: handles one, or several that belong together.
        gave_up: tells the person when one cannot be handled.
        clock: the time.
        glance: sees updates before they are stored; None sees none.
    """

    def __init__(
        self,
        channel: str,
        database: Database,
        handler: Handler,
        gave_up: GaveUp,
        clock: Clock,
        *,
        glance: Glance | None = None,
    ) -> None:
        self._glance = glance
        self._channel = channel
        self._database = database
        self._handler = handler
        self._gave_up = gave_up
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken: set[int] = set()
        self._over: set[int] = set()

    async def take(self, payloads: Sequence[object]) -> int | None:
        """Store updates as Telegram sent them, then have them handled.

        Args:
            payloads: JSON values; those that are no update with a number are logged and dropped.

        Returns:
            The number to ask for next; None when there was none.
        """
        now, found = self._clock.now(), raw_updates(payloads)
        if len(found) < len(payloads):
            _LOG.warning("%d updates had no number and were dropped", len(payloads) - len(found))
        updates = [
            InboxUpdate(self._channel, update.number, place_of(update.payload), update.payload, now)
            for update in found
        ]
        if not updates:
            return None
        self._glance_at(updates)
        async with self._database.work() as work:
            await work.inbox.add(updates)
            await work.commit()
        await self._dispatch()
        return max(update.number for update in updates) + 1

    def _glance_at(self, updates: Sequence[InboxUpdate]) -> None:
        if self._glance is None:
            return
        for update in updates:
            try:
                self._glance(update.payload)
            except Exception as broke:  # noqa: BLE001 - nothing in an update may keep it from being stored
                _LOG.info("update %d was not glanced at: %s", update.number, trail(broke))

    async def start(self) -> None:
        """Go on with what an earlier process left."""
        await self._dispatch()

    async def close(self) -> None:
        """Stop; what is not handled is handled after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dispatch(self) -> None:
        over = set(self._over)
        async with self._database.read() as work:
            waiting = await work.inbox.waiting(self._channel)
        # Only what was over before the database was read is not among what waits.
        self._taken -= over
        self._over -= over
        for update in waiting:
            if update.number not in self._taken:
                self._taken.add(update.number)
                lane = self._lane(update.place)
                lane.waiting.append(update)
                lane.arrival.set()

    def _lane(self, place: str) -> "_Lane":
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = _Lane()
            task = asyncio.create_task(self._work_off(place, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return lane

    async def _work_off(self, place: str, lane: "_Lane") -> None:
        while lane.waiting:
            await self._handle(await self._bundle(lane))
        del self._lanes[place]  # nothing was awaited since it was found empty

    async def _bundle(self, lane: "_Lane") -> list[InboxUpdate]:
        """Take the next update and those that are one with it, waiting a moment for the others."""
        parts = [lane.waiting.popleft()]
        while True:
            following = next((one for one in lane.waiting if goes_on(parts, one)), None)
            if following is not None:
                lane.waiting.remove(following)
                parts.append(following)
                continue
            left = parts[-1].received_at + HOLD - self._clock.now()
            if left <= timedelta() or not may_go_on(parts):
                return parts
            await self._arrival(lane, left.total_seconds())

    async def _arrival(self, lane: "_Lane", seconds: float) -> None:
        lane.arrival.clear()
        pause = asyncio.create_task(self._clock.sleep(seconds))
        arrival = asyncio.create_task(lane.arrival.wait())
        try:
            await asyncio.wait({pause, arrival}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            arrival.cancel()

    async def _handle(self, parts: Sequence[InboxUpdate]) -> None:
        if max(update.tries for update in parts) >= CUT_OFFS:
            await self._give_up(parts, "The process ended each time before it finished.")
            return
        number = parts[0].number
        failed, error = 0, ""
        patient_until = self._clock.monotonic() + _PATIENCE_S
        while failed < TRIES:
            try:
                await self._begin(parts)
                await self._handler(parts)
            except PASSING as away:  # no verdict on what was said
                self._database.patience.refused(away)
            except (NetworkError, RetryAfter) as outage:
                error = "Telegram failed to respond."
                if isinstance(outage, BadRequest) or self._clock.monotonic() > patient_until:
                    failed += 1
                _LOG.warning("update %d waits: %s", number, type(outage).__name__)
            except UnreadableError as unreadable:
                _LOG.warning("update %d cannot be read: %s", number, unreadable)
                await self._give_up(parts, "Telegram sent it in a form I don't know.")
                return
            except NoctuleError as said:
                error, failed = str(said), failed + 1
                _LOG.warning("update %d was not handled: %s", number, type(said).__name__)
            except Exception as broke:  # noqa: BLE001 - it must not end its lane
                error = f"Internal error ({type(broke).__name__})."
                failed += 1
                _LOG.error("update %d broke its handling: %s", number, trail(broke))
            else:
                await self._done(parts, None)
                return
            await self._clock.sleep(_WAIT_S)
        await self._give_up(parts, error)

    async def _begin(self, parts: Sequence[InboxUpdate]) -> None:
        async with self._database.work(durable=False) as work:
            for update in parts:
                await work.inbox.begin(self._channel, update.number)
            await work.commit()

    async def _give_up(self, parts: Sequence[InboxUpdate], error: str) -> None:
        try:
            await self._gave_up(parts[0], error)
        except Exception as broke:  # noqa: BLE001 - likewise
            _LOG.error(
                "the failure of update %d could not be reported: %s", parts[0].number, trail(broke)
            )
        await self._done(parts, error)

    async def _done(self, parts: Sequence[InboxUpdate], error: str | None) -> None:
        while True:
            try:
                async with self._database.work() as work:
                    for update in parts:
                        await work.inbox.handled(
                            self._channel, update.number, at=self._clock.now(), error=error
                        )
                    await work.commit()
            except NoctuleError as busy:
                _LOG.warning("update %d was handled but not noted yet: %s", parts[0].number, busy)
                await self._clock.sleep(_WAIT_S)
            else:
                self._over.update(update.number for update in parts)
                return


@dataclass(slots=True)
class _Lane:
    """What waits for its turn at one place."""

    waiting: deque[InboxUpdate] = field(default_factory=deque)
    arrival: asyncio.Event = field(default_factory=asyncio.Event)


def place_of(payload: Mapping[str, Any]) -> str:
    """Return the place an update belongs to; "" when it belongs to none, or does not say which."""
    for key in _PLACED:
        found = payload.get(key)
        if isinstance(found, Mapping):
            message = found.get("message", found)
            if not isinstance(message, Mapping):
                return ""
            chat = message.get("chat")
            number = chat.get("id") if isinstance(chat, Mapping) else None
            topic = message.get("message_thread_id") if message.get("is_topic_message") else None
            if not _is_id(number) or not (topic is None or _is_id(topic)):
                return ""
            return str(ChatRef(number, topic))
    return ""


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
