"""Stream: an answer while it is written, in a message that grows; a full one is left as it is.

What is shown here may be lost: edits are made straight, at most about once a second and only when
something changed. The answer itself goes through the outbox when it is complete.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from telegram.error import BadRequest, InvalidToken, RetryAfter, TelegramError

from noctule.channels.discretion import masked_alike
from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.outgoing import (
    TEXT_UNITS,
    OutgoingMessage,
    plain,
    split,
    units,
)
from noctule.channels.telegram.delivery.sender import entities_of
from noctule.channels.telegram.views.extracts import extract_files
from noctule.core.base.printable import printable
from noctule.core.settings import StreamBy

_LOG = logging.getLogger(__name__)

_GROUP_SECONDS = 3.5
"""Between two edits in a group: twenty messages a minute, answers included (Bots FAQ)."""

_DRAFT_BITS = 31
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})", re.MULTILINE)

PURPOSE = "stream"
"""The purpose of the messages that grow; they become the reply when it is complete."""


@dataclass(slots=True)
class _Voice:
    """One attempt that speaks.

    Args:
        role: whose.
        text: what it has said so far.
    """

    role: str
    text: str = ""


@dataclass(slots=True)
class _Shown:
    """What is to be seen of a turn that is at work.

    Args:
        doing: what it does besides speaking, like ``research reads a page``; "" for nothing.
        voices: those who speak, by attempt.
    """

    doing: str = ""
    voices: dict[str, _Voice] = field(default_factory=dict)

    def markdown(self) -> str:
        """Return what is said as Markdown; "" when there is nothing to see yet."""
        speaking = [voice for voice in self.voices.values() if voice.text.strip()]
        if len(speaking) > 1:
            parts = [f"**{voice.role}** · {len(voice.text):,} characters" for voice in speaking]
            return "\n".join(parts)
        return masked_alike(speaking[0].text) if speaking else ""

    def messages(self) -> list[dict[str, Any]]:
        """Return the bodies of the messages it takes, as the complete answer will be split."""
        markdown = _closed(self.markdown())
        text = extract_files(markdown)[0] if markdown.strip() else ""
        bodies = [{"text": t, "entities": marks} for t, marks in split(text)] if text else []
        if not self.doing:
            return bodies
        doing = printable(f"{self.doing} …")
        if not bodies:
            return [{"text": doing, "entities": []}]
        longer = f"{bodies[-1]['text']}\n\n{doing}"
        if units(longer) <= TEXT_UNITS:
            bodies[-1] = {**bodies[-1], "text": longer}
        return bodies


class Stream:
    """Shows one turn while it is at work.

    Args:
        bot: what everybody works with.
        place: where.
        session_id: whose turn.
        turn_id: which.
    """

    def __init__(self, bot: BotContext, place: ChatRef, session_id: str, turn_id: str) -> None:
        self._bot = bot
        self._place = place
        self._session_id = session_id
        self.turn_id = turn_id
        self._shown = _Shown()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self._full = 0
        self._last: dict[str, Any] = {}
        by = bot.settings.stream
        self._off = by is StreamBy.NOTHING
        self._drafts = by is StreamBy.DRAFT and place.is_private

    def key(self, number: int) -> str:
        """Return the key of one of the messages that grow, from 0."""
        return f"{self.turn_id}:stream" if number == 0 else f"{self.turn_id}:stream:{number}"

    def says(self, attempt: str, role: str, text: str) -> None:
        """Add what somebody said."""
        self._shown.voices.setdefault(attempt, _Voice(role)).text += text
        self._shown.doing = ""
        self._wake()

    def takes_back(self, attempt: str) -> None:
        """Take everything back that an attempt said: it was abandoned."""
        if self._shown.voices.pop(attempt, None) is not None:
            self._shown.doing = self._shown.doing or "again, on another model"
            self._wake()

    def begins(self, attempt: str) -> None:
        """Start clean when a later step of a turn speaks; only the last one is the answer."""
        self._shown.voices = {k: v for k, v in self._shown.voices.items() if k == attempt}

    def does(self, what: str) -> None:
        """Show what is being done."""
        self._shown.doing = what
        if any(voice.text for voice in self._shown.voices.values()) or self._last:
            self._wake()

    async def end(self) -> list[str]:
        """Show no more; return the keys of the messages that stand there (or will) and grew."""
        self._ending = True
        self._changed.set()
        if self._task is not None:
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        keys: list[str] = []
        async with self._bot.records.database.read() as work:
            while await work.outbox.by_key(CHANNEL, self.key(len(keys))) is not None:
                keys.append(self.key(len(keys)))
        return keys

    async def drop(self) -> None:
        """Stop at once: the process ends."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _wake(self) -> None:
        self._changed.set()
        if self._task is None and not self._off and not self._ending:
            self._task = asyncio.create_task(self._show())

    async def _show(self) -> None:
        pace = self._bot.pace
        pace.streams += 1
        try:
            while True:
                await self._changed.wait()
                if self._ending:
                    return
                self._changed.clear()
                if await self._show_once():
                    await self._pause(pace.edit_seconds(self._seconds()))
        finally:
            pace.streams -= 1

    def _seconds(self) -> float:
        seconds = self._bot.settings.edit_interval.total_seconds()
        return seconds if self._place.is_private else max(seconds, _GROUP_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Wait; an end cuts it short."""
        sleep = asyncio.create_task(self._bot.records.clock.sleep(seconds))
        try:
            while not sleep.done() and not self._ending:
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait({sleep, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if not sleep.done() and not self._ending:
                    await asyncio.wait({sleep}, timeout=0.05)
        finally:
            sleep.cancel()

    async def _show_once(self) -> bool:
        """Show what there is to see next; return whether a call was made.

        Once there is more than fits into a message, it is shown whole for the last time.
        """
        bodies = self._shown.messages()
        if len(bodies) <= self._full:
            return False  # taken back, or it fits into fewer: the complete answer says it rightly
        full, body = self._full < len(bodies) - 1, bodies[self._full]
        if not full and body == self._last:
            return False
        try:
            if self._drafts and not full:
                await self._draft(body)
                shown = True
            else:
                shown = await self._edit(body)
        except RetryAfter as error:
            wait = error.retry_after
            seconds = float(wait) if isinstance(wait, int) else wait.total_seconds()
            self._bot.pace.hold(self._place, seconds)
            await self._pause(seconds)
        except TelegramError as error:
            _LOG.info("a sight of an answer was left out: %s", error)
            if full:  # the complete answer shows it; the next one must not wait for it
                self._full += 1
        else:
            self._last = body if shown else self._last
            if shown and full:
                self._full += 1
                self._changed.set()
        return True

    async def _draft(self, body: Mapping[str, Any]) -> None:
        draft_id = int(self.turn_id.replace("-", ""), 16) % (1 << _DRAFT_BITS) or 1
        try:
            await self._bot.bot.send_message_draft(
                self._place.chat,
                draft_id,
                str(body["text"]),
                message_thread_id=self._place.topic,
                entities=entities_of(body),
            )
        except (InvalidToken, BadRequest):  # as a method is missing: python-telegram-bot's word
            self._drafts = False  # an older Bot API server: the message that grows does it
            await self._edit(body)

    async def _edit(self, body: Mapping[str, Any]) -> bool:
        """Show a body in the message that grows; return False when it has to wait."""
        key = self.key(self._full)
        async with self._bot.records.database.read() as work:
            message = await work.outbox.by_key(CHANNEL, key)
        if message is None:
            letter = OutgoingMessage(
                self._place,
                key,
                PURPOSE,
                body if body["entities"] else plain(str(body["text"])),
                session_id=self._session_id,
                turn_id=self.turn_id,
                silent=self._full > 0,
            )
            await self._bot.outbox.post(letter)
            return True
        if message.message_id is None or not self._bot.pace.is_free(self._place):
            self._changed.set()  # what goes before it is still on its way
            return False
        await self._bot.pace.wait(self._place)
        if self._ending:
            return False
        try:
            await self._bot.bot.edit_message_text(
                str(body["text"]),
                chat_id=self._place.chat,
                message_id=int(message.message_id),
                entities=entities_of(body),
            )
        except BadRequest as error:
            if "not modified" not in str(error).lower():
                raise
        return True


def _closed(markdown: str) -> str:
    """Return a text with its last code fence closed: the rest of it is still on its way."""
    fence = ""
    for found in _FENCE.finditer(markdown):
        marks = found[1]
        if not fence:
            fence = marks
        elif marks[0] == fence[0] and len(marks) >= len(fence):
            fence = ""
    return f"{markdown}\n{fence}" if fence else markdown
