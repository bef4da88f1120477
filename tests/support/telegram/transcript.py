"""A chat as text that people can read: for guides, and for tests that fail."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from tests.support.telegram.chats import Chat, ChatKind
from tests.support.telegram.messages import Entities, Message
from tests.support.telegram.presses import Press
from tests.support.telegram.world import World

_QUOTED_LETTERS = 40
_AROUND = {
    "bold": ("**", "**"),
    "italic": ("*", "*"),
    "strikethrough": ("~~", "~~"),
    "code": ("`", "`"),
    "spoiler": ("||", "||"),
}


def transcript(
    world: World,
    chat: Chat,
    *,
    topic: int | None = None,
    history: bool = False,
    times: bool = True,
    zone: tzinfo = UTC,
) -> str:
    """Return what happened in a chat, in order, messages with their latest text.

    Args:
        world: where the chat is.
        chat: which.
        topic: what happened in one topic; None for all.
        history: show each text an edited message had.
        times: begin lines with the time.
        zone: of these times.
    """
    lines = [
        (message.sent_at, message.id, _message(message, history=history))
        for message in chat.messages.values()
        if topic in (None, message.topic)
    ]
    lines += [
        (press.at, press.message.id, [_press(press)])
        for press in world.presses
        if press.message.chat is chat and topic in (None, press.message.topic)
    ]
    offset = world.clock.now().timestamp() - world.clock.monotonic()
    shown = [_heading(chat)]
    for at, _, text in sorted(lines, key=lambda line: line[:2]):
        clock = datetime.fromtimestamp(at + offset, zone).strftime("%H:%M:%S ") if times else ""
        first, *rest = "\n".join(text).split("\n")
        shown.append(f"{clock}{first}")
        shown += [f"{' ' * len(clock)}  {line}".rstrip() for line in rest]
    return "\n".join(shown)


def marked_up(text: str, entities: Entities) -> str:
    """Return a text with its formatting as Markdown, more or less."""
    inserts: list[tuple[int, int, str]] = []
    for order, entity in enumerate(entities):
        before, after = _marks(entity)
        end = entity["offset"] + entity["length"]
        inserts.append((entity["offset"], order, before))
        inserts.append((end, -order, after))
    encoded = text.encode("utf-16-le")
    for offset, _, mark in sorted(inserts, key=lambda insert: insert[:2], reverse=True):
        encoded = encoded[: 2 * offset] + mark.encode("utf-16-le") + encoded[2 * offset :]
    return encoded.decode("utf-16-le")


def _marks(entity: dict[str, Any]) -> tuple[str, str]:
    kind = entity["type"]
    if kind == "pre":
        return f"```{entity.get('language', '')}\n", "\n```"
    if kind == "text_link":
        return "[", f"]({entity['url']})"
    return _AROUND.get(kind, ("", ""))


def _heading(chat: Chat) -> str:
    if chat.kind is ChatKind.PRIVATE:
        return f"--- {chat.people[0].first_name}'s chat with the bot ---"
    people = ", ".join(person.first_name for person in chat.people)
    return f"--- {chat.kind.value} {chat.title}: {people} ---"


def _message(message: Message, *, history: bool) -> list[str]:
    flags = ", ".join(_flags(message))
    head = message.sender.first_name + (f" ({flags})" if flags else "")
    body = marked_up(message.text, message.entities)
    lines = [f"{head}: {''.join(_attached(message))}{body}".rstrip()]
    if message.reply_to is not None and message.reply_to.text:
        lines[0] = f'{head}, to "{_short(message.reply_to.text)}": {lines[0][len(head) + 2 :]}'
    lines += [" ".join(f"[{key.text}]" for key in row) for row in message.buttons]
    if history:
        lines += [f"(before: {version.text})" for version in message.versions[:-1]]
    reactions = [r["emoji"] for given in message.reactions.values() for r in given if "emoji" in r]
    return [line for line in lines if line] + ([" ".join(reactions)] if reactions else [])


def _short(text: str) -> str:
    line = text.splitlines()[0]
    return line if len(line) <= _QUOTED_LETTERS else f"{line[:_QUOTED_LETTERS]}..."


def _flags(message: Message) -> Iterator[str]:
    if message.topic is not None:
        yield message.chat.topics.get(message.topic, str(message.topic))
    if message.silent:
        yield "silent"
    if "forward_origin" in message.extra:
        yield "forwarded"
    if edits := len(message.versions) - 1:
        yield "edited once" if edits == 1 else f"edited {edits} times"
    if message.deleted is not None:
        yield "deleted"


def _attached(message: Message) -> Iterator[str]:
    content = message.content
    if "photo" in content:
        largest = content["photo"][-1]
        yield f"[photo {largest['width']}x{largest['height']}] "
    if "document" in content:
        document = content["document"]
        yield f"[document {document['file_name']}, {document['file_size']} bytes] "
    if "voice" in content:
        yield f"[voice message, {content['voice']['duration']} s] "
    if "sticker" in content:
        yield f"[sticker {content['sticker']['emoji']}] "
    for service in ("migrate_to_chat_id", "migrate_from_chat_id"):
        if service in content:
            yield f"[{service} {content[service]}]"


def _press(press: Press) -> str:
    known = _buttons(press.message)
    answer = f" -> {press.answer!r}" if press.answer else ""
    return f"{press.person.first_name} presses [{known.get(press.data, press.data)}]{answer}"


def _buttons(message: Message) -> dict[str, str]:
    """Return the buttons a message had at any time, by their data."""
    return {
        key["callback_data"]: key["text"]
        for version in message.versions
        for row in (version.markup or {}).get("inline_keyboard", [])
        for key in row
        if "callback_data" in key
    }
