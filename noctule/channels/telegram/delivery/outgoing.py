"""Letters: what one message of the bot says, before it is handed to the outbox.

A letter's body is JSON, so that it survives a restart exactly as it was written. Text carries its
formatting as entities (offsets in UTF-16 units, as Telegram counts), never as markup: nothing a
model or a stranger wrote can break it or smuggle formatting in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.channels.telegram.delivery.markup import render
from noctule.channels.telegram.delivery.splitting import parts, utf16
from noctule.core.base.printable import printable
from noctule.core.messaging.messages import OutgoingKind

_MARK_UNITS = 96
"""Room for the line that says that a message may be a repeat."""

TEXT_UNITS = 4096 - _MARK_UNITS
"""The longest text of one message, in UTF-16 units (Bot API, sendMessage)."""

CAPTION_UNITS = 1024 - _MARK_UNITS
"""The longest caption of a file, in UTF-16 units (Bot API, sendDocument)."""


@dataclass(frozen=True, slots=True)
class Button:
    """One button under a message.

    Args:
        text: what it says.
        data: what is sent back when it is pressed: signed, at most 64 bytes.
    """

    text: str
    data: str


Buttons = Sequence[Sequence[Button]]
"""Rows of buttons."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message, file or edit.

    Args:
        place: where it goes.
        key: what makes it once-only; see ``core.messaging.messages.Outgoing``.
        purpose: what it is to the person; likewise.
        kind: what is done.
        body: what is sent.
        session_id: what it tells of; None when of no session.
        turn_id: likewise.
        edits: the key of the message an edit changes; None unless it is one.
        silent: True: without a sound.
        noted: True: never sent, only stored; an edit that leads to the message it names.
    """

    place: ChatRef
    key: str
    purpose: str
    body: Mapping[str, Any]
    kind: OutgoingKind = OutgoingKind.TEXT
    session_id: str | None = None
    turn_id: str | None = None
    edits: str | None = None
    silent: bool = False
    noted: bool = False


def plain(text: str, *, buttons: Buttons = (), reply_to: int | None = None) -> dict[str, Any]:
    """Return the body of a text without formatting; what is too long is cut with a sign.

    Args:
        text: not empty.
        buttons: rows under it.
        reply_to: the message it answers, by Telegram's id; None answers none.
    """
    return _body(_cut(printable(text)), [], buttons, reply_to)


def formatted(
    markdown: str, *, buttons: Buttons = (), reply_to: int | None = None
) -> list[dict[str, Any]]:
    """Return the bodies of a text written in Markdown, split where a reader would split it.

    Args:
        markdown: as a model writes it; not empty.
        buttons: rows under the last part.
        reply_to: the message the first part answers; None answers none.
    """
    found = split(markdown)
    last = len(found) - 1
    return [
        _body(text, entities, buttons if n == last else (), reply_to if n == 0 else None)
        for n, (text, entities) in enumerate(found)
    ]


def split(markdown: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return text and entities of each message a Markdown text needs; at least one."""
    markdown = printable(markdown)
    return parts(render(markdown), TEXT_UNITS) or [(_cut(markdown), [])]


def document(path: Path, *, name: str, caption: str = "", passing: bool = False) -> dict[str, Any]:
    """Return the body of a file.

    Args:
        path: where it is now; read when it is sent.
        name: as the person sees it.
        caption: what stands under it; "" for nothing.
        passing: True: it was only kept to be sent, and goes once it was.
    """
    name, caption = " ".join(printable(name).split()), _cut(printable(caption), CAPTION_UNITS)
    body = {"path": str(path), "name": name, "caption": caption}
    return {**body, "passing": True} if passing else body


def units(text: str) -> int:
    """Return the length of a text as Telegram counts it, in UTF-16 units."""
    return utf16(text)


def _body(
    text: str, entities: list[dict[str, Any]], buttons: Buttons, reply_to: int | None
) -> dict[str, Any]:
    body: dict[str, Any] = {"text": text}
    if entities:
        body["entities"] = entities
    if buttons:
        body["buttons"] = [[[button.text, button.data] for button in row] for row in buttons]
    if reply_to is not None:
        body["reply_to"] = reply_to
    return body


def _cut(text: str, most: int = TEXT_UNITS) -> str:
    if units(text) <= most:
        return text
    raw = text.encode("utf-16-le")[: (most - 2) * 2]
    return raw.decode("utf-16-le", "ignore") + " …"
