"""Stream: an answer while it is written, in one message that grows.

What is shown here may be lost: edits are made straight, at most about once a second and only when
something changed. The answer itself goes through the outbox when it is complete.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from telegram.error import BadRequest, InvalidToken, RetryAfter, TelegramError

from noctule.channels.telegram.letters import Letter, plain, split
from noctule.channels.telegram.office import Office
from noctule.channels.telegram.places import CHANNEL, Place
from noctule.channels.telegram.sender import entities_of
from noctule.core.settings import StreamBy

_LOG = logging.getLogger(__name__)

_GROUP_SECONDS = 3.5
"""Between two edits in a group: twenty messages a minute, answers included (Bots FAQ)."""

_SHOWN_CHARS = 3500
_DRAFT_BITS = 31

PURPOSE = "stream"
"""The purpose of the message that grows; it becomes the reply when it is complete."""


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
        """Return it as Markdown; "" when there is nothing to see yet."""
        speaking = [voice for voice in self.voices.values() if voice.text.strip()]
        if len(speaking) > 1:
            parts = [f"**{voice.role}** · {len(voice.text):,} characters" for voice in speaking]
            text = "\n".join(parts)
        else:
            text = speaking[0].text if speaking else ""
        if len(text) > _SHOWN_CHARS:
            text = "… " + text[-_SHOWN_CHARS:].partition(" ")[2]
        if self.doing:
            text = f"{text}\n\n_{self.doing} …_".strip()
        return text


class Stream:
    """Shows one turn while it is at work.

    Args:
        office: what everybody works with.
        place: where.
        session_id: whose turn.
        turn_id: which.
    """

    def __init__(self, office: Office, place: Place, session_id: str, turn_id: str) -> None:
        self._office = office
        self._place = place
        self._session_id = session_id
        self.turn_id = turn_id
        self._shown = _Shown()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self._last = ""
        by = office.settings.stream
        self._off = by is StreamBy.NOTHING
        self._drafts = by is StreamBy.DRAFT and place.is_private

    @property
    def key(self) -> str:
        """The key of the message that grows."""
        return f"{self.turn_id}:stream"

    def says(self, attempt: str, role: str, text: str) -> None:
        """Add what somebody said."""
        self._shown.voices.setdefault(attempt, _Voice(role)).text += text
        self._shown.doing = ""
        self._wake()

    def takes_back(self, attempt: str) -> None:
        """Take everything back that an attempt said: it was given up."""
        if self._shown.voices.pop(attempt, None) is not None:
            self._shown.doing = self._shown.doing or "once more, on another model"
            self._wake()

    def begins(self, attempt: str) -> None:
        """Start clean when a later step of a turn speaks; only the last one is the answer."""
        self._shown.voices = {k: v for k, v in self._shown.voices.items() if k == attempt}

    def does(self, what: str) -> None:
        """Show what is being done."""
        self._shown.doing = what
        if any(voice.text for voice in self._shown.voices.values()) or self._last:
            self._wake()

    async def end(self) -> bool:
        """Show no more; return whether a message stands there (or will) that grew."""
        self._ending = True
        self._changed.set()
        if self._task is not None:
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        async with self._office.records.database.read() as work:
            return await work.outbox.by_key(CHANNEL, self.key) is not None

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
        pace = self._office.pace
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
        seconds = self._office.settings.edit_interval.total_seconds()
        return seconds if self._place.is_private else max(seconds, _GROUP_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Wait; an end cuts it short."""
        sleep = asyncio.create_task(self._office.records.clock.sleep(seconds))
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
        """Show what there is to see; return whether a call was made."""
        markdown = self._shown.markdown()
        if not markdown or markdown == self._last:
            return False
        text, entities = split(markdown)[-1]
        body = {"text": text, "entities": entities}
        try:
            if self._drafts:
                await self._draft(body)
            else:
                await self._edit(body)
        except RetryAfter as error:
            wait = error.retry_after
            seconds = float(wait) if isinstance(wait, int) else wait.total_seconds()
            self._office.pace.hold(self._place, seconds)
            await self._pause(seconds)
        except TelegramError as error:
            _LOG.info("a sight of an answer was left out: %s", error)
        else:
            self._last = markdown
        return True

    async def _draft(self, body: Mapping[str, Any]) -> None:
        draft_id = int(self.turn_id.replace("-", ""), 16) % (1 << _DRAFT_BITS) or 1
        try:
            await self._office.bot.send_message_draft(
                self._place.chat,
                draft_id,
                str(body["text"]),
                message_thread_id=self._place.topic,
                entities=entities_of(body),
            )
        except (InvalidToken, BadRequest):  # as a method is missing: python-telegram-bot's word
            self._drafts = False  # an older Bot API server: the message that grows does it
            await self._edit(body)

    async def _edit(self, body: Mapping[str, Any]) -> None:
        async with self._office.records.database.read() as work:
            message = await work.outbox.by_key(CHANNEL, self.key)
        if message is None:
            letter = Letter(
                self._place,
                self.key,
                PURPOSE,
                body if body["entities"] else plain(str(body["text"])),
                session_id=self._session_id,
                turn_id=self.turn_id,
            )
            await self._office.outbox.post(letter)
        elif message.message_id is not None and self._office.pace.is_free(self._place):
            await self._office.pace.wait(self._place)
            if not self._ending:
                await self._office.bot.edit_message_text(
                    str(body["text"]),
                    chat_id=self._place.chat,
                    message_id=int(message.message_id),
                    entities=entities_of(body),
                )
        else:
            self._changed.set()  # what goes before it is still on its way
