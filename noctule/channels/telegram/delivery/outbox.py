"""Outbox: whatever the bot says is stored first, then sent once, in order, however long it takes.

A message that was being sent when the process was killed, or whose connection broke after it was
handed over, may have arrived: it is sent again and says so. Nothing else is ever sent twice.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from telegram.error import TelegramError

from noctule.channels.discretion import masked_body
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.delivery_errors import (
    DeliveryAction,
    DeliveryFailure,
    read_refusal,
)
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.channels.telegram.delivery.sender import FileGoneError, Sender
from noctule.channels.telegram.delivery.throttle import Pace
from noctule.core.base.ids import new_id
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError
from noctule.core.messaging.messages import OutboxMessage, OutgoingKind, OutgoingState
from noctule.core.ports.database import Database, UnitOfWork

_LOG = logging.getLogger(__name__)

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_BROKEN_TRIES = 5
_MISSING_TRIES = 2
_REFUSED_TRIES = 200
_REFUSED_FOR = timedelta(days=3)
"""How often and how long Telegram may refuse one message with errors of its own before it is given
up; outages and flood control do not count."""

_BARE = ("text", "path", "name", "caption", "passing")
"""What is left of a body whose form Telegram does not take."""

_WORTH_A_WORD = frozenset({"reply", "file", "question", "report"})
"""The purposes whose loss is told in the chat."""

Moved = Callable[[ChatRef, ChatRef], Awaitable[None]]
"""Is told when a group went to another id, from the one to the other."""


class Outbox:
    """Sends what is stored.

    Args:
        database: where it is stored.
        sender: makes the calls.
        pace: how often one chat may be sent to.
        clock: the time.
    """

    def __init__(self, database: Database, sender: Sender, pace: Pace, clock: Clock) -> None:
        self._database = database
        self._sender = sender
        self._pace = pace
        self._clock = clock
        self._order = _Ascending(clock)
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._refused: dict[str, int] = {}
        self._open = False
        self.moved: Moved | None = None

    async def store(self, work: UnitOfWork, letters: Iterable[OutgoingMessage]) -> None:
        """Store letters in a transaction of the caller's, who commits and then wakes their places.

        Letters with the key of a stored one are passed over.
        """
        for letter in letters:
            await work.outbox.add(
                OutboxMessage(
                    id=new_id(self._order),
                    channel=CHANNEL,
                    place=str(letter.place),
                    key=letter.key,
                    kind=letter.kind,
                    purpose=letter.purpose,
                    body=masked_body(dict(letter.body)),
                    created_at=self._clock.now(),
                    session_id=letter.session_id,
                    turn_id=letter.turn_id,
                    edits=letter.edits,
                    silent=letter.silent,
                    state=OutgoingState.DROPPED if letter.noted else OutgoingState.PENDING,
                )
            )

    async def post(self, *letters: OutgoingMessage) -> None:
        """Store letters and send them as soon as their places let them."""
        async with self._database.work() as work:
            await self.store(work, letters)
            await work.commit()
        for place in {str(letter.place) for letter in letters}:
            self.wake(place)

    def wake(self, place: str) -> None:
        """Say that there is something to send to a place."""
        if not self._open:
            return
        if place in self._lanes:
            self._again.add(place)  # it may be about to end
        else:
            self._lanes[place] = asyncio.create_task(self._lane(place))

    async def start(self) -> None:
        """Begin to send, with what an earlier process left."""
        self._open = True
        async with self._database.read() as work:
            waiting = await work.outbox.waiting(CHANNEL)
        for place in {message.place for message in waiting}:
            self.wake(place)

    async def close(self) -> None:
        """Stop; a call under way is cut off, and its message will say that it may be a repeat."""
        self._open = False
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)

    async def settled(self, seconds: float) -> None:
        """Wait until nothing is being sent any more, at most some seconds."""
        lanes = set(self._lanes.values())
        if lanes:
            await asyncio.wait(lanes, timeout=seconds)

    async def _lane(self, place: str) -> None:
        try:
            while True:
                self._again.discard(place)
                try:
                    if not await self._next(place) and place not in self._again:
                        return
                except NoctuleError as error:
                    _LOG.warning("the outbox of %s waits: %s", place, error)
                    await self._clock.sleep(_FIRST_WAIT_S)
        finally:
            self._lanes.pop(place, None)

    async def _next(self, place: str) -> bool:
        """Do something about what goes out next at a place; return whether there was anything."""
        async with self._database.read() as work:
            message = await work.outbox.first(CHANNEL, place)
        if message is None:
            return False
        wait_s = self._wait_s(message)
        if wait_s > 0:
            await self._clock.sleep(wait_s)
            return True  # it may have been overtaken meanwhile: look again
        await self._pace.wait(ChatRef.parse(place))
        await self._hand_over(message)
        return True

    def _wait_s(self, message: OutboxMessage) -> float:
        if message.not_before is None:
            return 0.0
        return (message.not_before - self._clock.now()).total_seconds()

    async def _hand_over(self, message: OutboxMessage) -> None:
        edited: OutboxMessage | None = None
        if message.kind is OutgoingKind.EDIT:
            edited = await self._edited(message)
            if edited is None:
                await self._gone(message)
                return
        repeated = message.state is OutgoingState.SENDING and edited is None
        async with self._database.work(durable=edited is None) as work:
            await work.outbox.sending(message.id, repeated=repeated)
            stands = await work.outbox.by_key(CHANNEL, message.key)
            await work.commit()
        if stands is not None and stands.id == message.id:
            message = stands  # a newer edit may have taken its place while it waited for its turn
        # What may stand there twice says so whatever its text becomes.
        marked = message.repeated or repeated or (edited is not None and edited.repeated)
        message = replace(message, repeated=marked)
        try:
            sent_as = await self._sender.send(message, edited.message_id if edited else None)
        except TelegramError as error:
            await self._refuse(message, read_refusal(error))
        except FileGoneError as error:
            await self._refuse(message, DeliveryFailure(DeliveryAction.NEVER, str(error)))
        except Exception as error:  # noqa: BLE001 - one message must not silence its chat
            await self._refuse(message, _broken(message, error))
        else:
            await self._sent(message, sent_as)

    async def _edited(self, message: OutboxMessage) -> OutboxMessage | None:
        """Return the message an edit is for, as it was sent; None when it was not."""
        async with self._database.read() as work:
            target = await work.outbox.by_key(CHANNEL, message.edits or "")
        return None if target is None or target.message_id is None else target

    async def _sent(self, message: OutboxMessage, sent_as: str | None) -> None:
        self._refused.pop(message.id, None)
        async with self._database.work(durable=False) as work:
            await work.outbox.sent(message.id, sent_as=sent_as, at=self._clock.now())
            await work.commit()
        if message.body.get("passing"):
            with suppress(OSError):
                await asyncio.to_thread(os.unlink, str(message.body["path"]))

    async def _refuse(self, message: OutboxMessage, refusal: DeliveryFailure) -> None:
        match refusal.verdict:
            case DeliveryAction.UNCHANGED:
                await self._sent(message, message.message_id)
            case DeliveryAction.PLAIN if message.body.get("entities"):
                await self._rewrite(message, {**message.body, "entities": []})
            case DeliveryAction.LOOSE if not message.body.get("loose"):
                await self._rewrite(message, {**message.body, "reply_to": None, "loose": True})
            case DeliveryAction.PLAIN | DeliveryAction.LOOSE | DeliveryAction.BARE if (
                not message.body.get("bare")
            ):
                await self._rewrite(message, _bare(message.body))
            case DeliveryAction.MOVED if refusal.moved_to is not None:
                await self._move(message, refusal.moved_to)
            case DeliveryAction.GONE:
                await self._gone(message)
            case DeliveryAction.LATER if refusal.answered and self._is_hopeless(message):
                await self._fail(message, refusal.reason)
            case DeliveryAction.MISSING if self._is_missing(message):
                await self._fail(message, "the Bot API server cannot do that")
            case (
                DeliveryAction.LATER
                | DeliveryAction.UNCLEAR
                | DeliveryAction.LOCKED_OUT
                | DeliveryAction.MISSING
            ):
                await self._later(message, refusal)
            case _:
                await self._fail(message, refusal.reason)

    def _is_missing(self, message: OutboxMessage) -> bool:
        """Whether a method is not there; without that of texts the token must be wrong."""
        tries = self._refused.get(message.id, 0)
        return message.kind is not OutgoingKind.TEXT and tries >= _MISSING_TRIES

    def _is_hopeless(self, message: OutboxMessage) -> bool:
        since = self._clock.now() - message.created_at
        return message.tries > _REFUSED_TRIES and since > _REFUSED_FOR

    async def _later(self, message: OutboxMessage, refusal: DeliveryFailure) -> None:
        refused = self._refused[message.id] = self._refused.get(message.id, 0) + 1
        wait_s = refusal.wait_s or min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (refused - 1))
        if refused == 1:
            _LOG.warning("a message waits %.0f s: %s", wait_s, refusal.reason)
        if refusal.verdict is DeliveryAction.UNCLEAR:
            # Its row goes on saying that it was handed over: the next try is marked.
            await self._clock.sleep(wait_s)
            return
        if refusal.wait_s is not None:
            self._pace.hold(ChatRef.parse(message.place), refusal.wait_s)
        until = self._clock.now() + timedelta(seconds=wait_s)
        async with self._database.work(durable=False) as work:
            await work.outbox.later(message.id, not_before=until, error=refusal.reason)
            await work.commit()

    async def _rewrite(self, message: OutboxMessage, body: Mapping[str, Any]) -> None:
        async with self._database.work(durable=False) as work:
            await work.outbox.rewrite(message.id, body)
            await work.outbox.later(message.id, not_before=self._clock.now(), error="rewritten")
            await work.commit()

    async def _move(self, message: OutboxMessage, chat: int) -> None:
        async with self._database.work() as work:
            await work.outbox.later(message.id, not_before=self._clock.now(), error="moved")
            await work.commit()
        place = ChatRef.parse(message.place)
        await self.move(place, replace(place, chat=chat))

    async def move(self, place: ChatRef, to: ChatRef) -> None:
        """Send to another place whatever was for one: a group became a supergroup."""
        async with self._database.work() as work:
            await work.chats.move(CHANNEL, str(place), str(to))
            await work.commit()
        if self.moved is not None:
            await self.moved(place, to)
        self.wake(str(to))

    async def _gone(self, message: OutboxMessage) -> None:
        """Send the text of an edit as a message of its own when it is an answer; else drop it."""
        anew = replace(
            message,
            id=_behind(message.id),
            key=f"{message.key}:anew",
            kind=OutgoingKind.TEXT,
            edits=None,
            state=OutgoingState.PENDING,
            tries=0,
        )
        async with self._database.work() as work:
            await work.outbox.failed(
                message.id, error="the message it edits is gone", state=OutgoingState.DROPPED
            )
            if message.purpose == "reply" and "text" in message.body:
                await work.outbox.add(anew)
            await work.commit()

    async def _fail(self, message: OutboxMessage, reason: str) -> None:
        self._refused.pop(message.id, None)
        _LOG.warning("a message (%s) was given up: %s", message.purpose, reason)
        letters = [_loss(message, reason)] if message.purpose in _WORTH_A_WORD else []
        async with self._database.work() as work:
            await work.outbox.failed(message.id, error=reason)
            await self.store(work, letters)
            await work.commit()


class _Ascending:
    """A clock for ids: each moment is later than the one before, also when time is corrected."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: datetime | None = None
        self.monotonic = clock.monotonic
        self.suspended_s = clock.suspended_s
        self.sleep = clock.sleep

    def now(self) -> datetime:
        """Return a moment after all before."""
        now = self._clock.now()
        if self._last is not None:
            now = max(now, self._last + timedelta(microseconds=1))
        self._last = now
        return now


def _behind(message_id: str) -> str:
    """Return an id before whatever was stored after a message."""
    return str(UUID(int=UUID(message_id).int + 1))


def _bare(body: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        name: body[name] for name in ("text", "path", "name", "caption", "passing") if name in body
    }
    return {**kept, "bare": True}


def _broken(message: OutboxMessage, error: Exception) -> DeliveryFailure:
    tries = message.tries + 1
    verdict = DeliveryAction.NEVER if tries >= _BROKEN_TRIES else DeliveryAction.LATER
    return DeliveryFailure(verdict, f"internal error ({type(error).__name__})")


def _loss(message: OutboxMessage, reason: str) -> OutgoingMessage:
    if message.kind in {OutgoingKind.DOCUMENT, OutgoingKind.PHOTO}:
        what = f"I could not send the file {message.body.get('name') or 'I made'}"
    else:
        what = "Telegram rejected one of my messages"
    where = "See all of it with `noctule sessions show` on the machine."
    return OutgoingMessage(
        ChatRef.parse(message.place),
        f"{message.key}:lost",
        "notice",
        plain(f"{what}: {reason}. {where}"),
        session_id=message.session_id,
        turn_id=message.turn_id,
    )
