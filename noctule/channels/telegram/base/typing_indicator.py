"""Signs of life: *typing…* from the first moment, and for as long as a turn runs."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

from telegram import Bot
from telegram.constants import ChatAction
from telegram.error import TelegramError

from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.core.clock import Clock

_SEEN = "👀"
_EVERY_S = 4.0
"""Telegram shows a sign for five seconds (Bot API, sendChatAction)."""


class TypingIndicator:
    """Shows that somebody is at work.

    Args:
        bot: one that waits for nobody.
        clock: paces the signs.
    """

    def __init__(self, bot: Bot, clock: Clock) -> None:
        self._bot = bot
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: dict[ChatRef, asyncio.Task[None]] = {}

    def give(self, place: ChatRef) -> None:
        """Give one sign, now."""
        self._begin(self._once(place))

    def keep(self, place: ChatRef) -> None:
        """Go on giving signs until ``end``; asking twice changes nothing."""
        if place not in self._kept:
            self._kept[place] = self._begin(self._on_and_on(place))

    def end(self, place: ChatRef) -> None:
        """Give no more signs."""
        task = self._kept.pop(place, None)
        if task is not None:
            task.cancel()

    async def see(self, place: ChatRef, message_id: int) -> None:
        """Show under a message that it was seen and waits for its turn."""
        await self._react(place, message_id, _SEEN)

    async def unsee(self, place: ChatRef, message_id: int) -> None:
        """Take that away: its turn has come."""
        await self._react(place, message_id, None)

    async def _react(self, place: ChatRef, message_id: int, emoji: str | None) -> None:
        with suppress(TelegramError):  # an older server, or a chat without reactions
            await self._bot.set_message_reaction(place.chat, message_id, emoji)

    async def close(self) -> None:
        """Stop all of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _on_and_on(self, place: ChatRef) -> None:
        while True:
            await self._once(place)
            await self._clock.sleep(_EVERY_S)

    async def _once(self, place: ChatRef) -> None:
        with suppress(TelegramError):  # the answer will say whether the chat can be reached
            await self._bot.send_chat_action(
                place.chat, ChatAction.TYPING, message_thread_id=place.topic
            )
