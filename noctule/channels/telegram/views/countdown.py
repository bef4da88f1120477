"""Countdown: cards of what sleeps say from time to time how long it still does."""

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from datetime import datetime

from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.base.hours import left
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage
from noctule.channels.telegram.views.cards import card_key, card_now, edit_key
from noctule.channels.telegram.views.parked_turns import asleep_of, group_again
from noctule.core.errors import NoctuleError
from noctule.core.llm.events import EventKind
from noctule.core.messaging.messages import OutboxMessage, OutgoingKind, OutgoingState

_LOG = logging.getLogger(__name__)

EVERY_S = 60.0
"""How often cards are looked at; their words are so coarse that few of them change."""


class Countdown:
    """Keeps the cards of what sleeps.

    Args:
        bot: what everybody works with.
    """

    def __init__(self, bot: BotContext) -> None:
        self._bot = bot
        self._task: asyncio.Task[None] | None = None
        self._words: dict[tuple[str, str], str] = {}

    def start(self) -> None:
        """Begin to look at the cards."""
        self._task = asyncio.create_task(self._again_and_again())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Change every card whose words are no longer right."""
        async with self._bot.records.database.read() as work:
            parkings = await work.parkings.all_open()
            watches = await work.chats.watches(CHANNEL) if parkings else []
        places: defaultdict[str, list[ChatRef]] = defaultdict(list)
        for watch in watches:
            places[watch.session_id].append(ChatRef.parse(watch.place))
        wakes: dict[tuple[str, str], datetime] = {}
        for parking in parkings:
            if parking.wake_at is not None:
                key = parking.turn_id, parking.session_id
                wakes[key] = min(parking.wake_at, wakes.get(key, parking.wake_at))
        now = self._bot.records.clock.now()
        words = {key: f"{at} {left((at - now).total_seconds())}" for key, at in wakes.items()}
        for key, told in words.items():
            if self._words.get(key) != told:
                for place in places[key[1]]:
                    await self._count(key[0], place)
        self._words = words

    async def _again_and_again(self) -> None:
        while True:
            await self._bot.records.clock.sleep(EVERY_S)
            try:
                await self.look()
            except NoctuleError as error:
                _LOG.warning("cards are looked at later: %s", error)

    async def _count(self, turn_id: str, place: ChatRef) -> None:
        asleep = await asleep_of(self._bot, turn_id)
        async with self._bot.records.database.read() as work:
            parks = await work.events.of_turn(turn_id, [EventKind.PARKED])
            mark = await work.outbox.by_key(CHANNEL, card_key(parks[-1], place)) if parks else None
            key = "" if mark is None else mark.edits or mark.key
            card = await work.outbox.by_key(CHANNEL, key)
            edit = await work.outbox.by_key(CHANNEL, edit_key(key))
        if asleep is None or mark is None or card is None:
            return
        if card.state is not OutgoingState.SENT:
            return
        newest: OutboxMessage = edit or card
        group = await group_again(self._bot, place, mark.body, key)
        first = group.sleepers[0] if group is not None and group.sleepers else asleep
        body = await card_now(self._bot, place, key, group, first)
        if body["text"] == newest.body.get("text"):
            return
        letter = OutgoingMessage(
            place,
            edit_key(key),
            "card",
            body,
            kind=OutgoingKind.EDIT,
            session_id=asleep.session.id,
            turn_id=turn_id,
            edits=key,
        )
        await self._bot.outbox.post(letter)
