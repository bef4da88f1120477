"""Sender: one call to the Bot API for one message of the outbox."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    MessageEntity,
    ReplyParameters,
)

from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.core.messaging.messages import OutboxMessage, OutgoingKind
from noctule.sessions.service.outgoing_files import regular

REPEATED = "↻ You may already have this: the connection broke while I was sending it."
"""What a message says that may stand in the chat twice."""

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


MOST_FILE_BYTES = 50_000_000
"""The largest file a bot may send (Bot API, sendDocument)."""


class FileGoneError(Exception):
    """The file of a message is not there any more, cannot be read, or is too large."""


class Sender:
    """Puts messages into calls.

    Args:
        bot: who calls; its rate limiter keeps the limits of all chats together.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def send(self, message: OutboxMessage, edited_id: str | None) -> str | None:
        """Send a message, a file or an edit; return what Telegram calls the message.

        Args:
            message: what.
            edited_id: the message an edit is for; None unless it is one.

        Raises:
            TelegramError: it was not taken, or nobody knows.
            FileGoneError: its file cannot be read.
        """
        place = ChatRef.parse(message.place)
        match message.kind:
            case OutgoingKind.EDIT:
                await self._edit(place, message, int(edited_id or 0))
                return edited_id
            case OutgoingKind.DOCUMENT | OutgoingKind.PHOTO:
                sent = await self._file(place, message)
            case _:
                sent = await self._text(place, message)
        return str(sent.message_id)

    async def _text(self, place: ChatRef, message: OutboxMessage) -> Message:
        body = message.body
        return await self._bot.send_message(
            place.chat,
            _marked(str(body["text"]), repeated=message.repeated),
            entities=entities_of(body),
            link_preview_options=_NO_PREVIEW,
            **_options(place, message),
        )

    async def _edit(self, place: ChatRef, message: OutboxMessage, message_id: int) -> None:
        body = message.body
        if "text" in body:
            await self._bot.edit_message_text(
                _marked(str(body["text"]), repeated=message.repeated),
                chat_id=place.chat,
                message_id=message_id,
                entities=entities_of(body),
                link_preview_options=_NO_PREVIEW,
                reply_markup=buttons_of(body),
            )
        else:
            await self._bot.edit_message_reply_markup(
                chat_id=place.chat, message_id=message_id, reply_markup=buttons_of(body)
            )

    async def _file(self, place: ChatRef, message: OutboxMessage) -> Message:
        body = message.body
        content = await asyncio.to_thread(_read, Path(str(body["path"])))
        caption = _marked(str(body.get("caption") or ""), repeated=message.repeated) or None
        options = _options(place, message)
        if message.kind is OutgoingKind.PHOTO:
            return await self._bot.send_photo(place.chat, content, caption=caption, **options)
        name = str(body.get("name") or "file")
        return await self._bot.send_document(
            place.chat, content, filename=name, caption=caption, **options
        )


def entities_of(body: Mapping[str, Any]) -> Sequence[MessageEntity] | None:
    """Return the formatting of a body as python-telegram-bot has it; None for none."""
    marks = [MessageEntity.de_json(dict(entity), None) for entity in body.get("entities", ())]
    return marks or None


def buttons_of(body: Mapping[str, Any]) -> InlineKeyboardMarkup | None:
    """Return the buttons of a body as python-telegram-bot has them; None for none."""
    rows = body.get("buttons")
    if not rows:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(text, callback_data=data) for text, data in row] for row in rows]
    )


def _options(place: ChatRef, message: OutboxMessage) -> dict[str, Any]:
    body = message.body
    reply_to = body.get("reply_to")
    return {
        "message_thread_id": None if body.get("loose") else place.topic,
        "disable_notification": message.silent,
        "reply_markup": buttons_of(body),
        "reply_parameters": None
        if reply_to is None
        else ReplyParameters(int(reply_to), allow_sending_without_reply=True),
    }


def _marked(text: str, *, repeated: bool) -> str:
    # At the end: the offsets of the formatting count from the start.
    return f"{text}\n\n{REPEATED}".strip() if repeated else text


def _read(path: Path) -> bytes:
    try:
        with regular(path) as file:
            content = file.read(MOST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise FileGoneError("it no longer exists, or cannot be read") from error
    if len(content) > MOST_FILE_BYTES:
        raise FileGoneError("it is larger than Telegram's limit of 50 MB")
    return content
