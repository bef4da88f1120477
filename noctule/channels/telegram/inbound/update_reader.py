"""Reading: a stored update as python-telegram-bot's objects, without the parts that cannot be read.

Versions of the Bot API to come change forms of fields we hardly look at: such a field is left out,
and what the person said still counts.
"""

from collections.abc import Mapping
from typing import Any

from telegram import Bot, CallbackQuery, Message, MessageReactionUpdated, TelegramObject, Update

from noctule.channels.telegram.inbound.raw_updates import UNREAD, UnreadableError
from noctule.channels.telegram.inbound.rich_messages import rich_text

SAID, EDITED = "message", "edited_message"
"""The kinds by which people say something."""

_FORMS: Mapping[str, tuple[type[TelegramObject], frozenset[str]]] = {
    SAID: (Message, frozenset({"message_id", "date", "chat", "from"})),
    EDITED: (Message, frozenset({"message_id", "date", "chat", "from"})),
    "callback_query": (CallbackQuery, frozenset({"id", "from", "chat_instance", "data"})),
    "message_reaction": (
        MessageReactionUpdated,
        frozenset({"chat", "message_id", "date", "old_reaction", "new_reaction", "user"}),
    ),
}
"""The kinds that are dealt with: what each is, and what it is nothing without."""

_TEXTS = ("text", "caption", "data", "media_group_id")
_PEOPLE = ("from", "user")


def read_update(payload: Mapping[str, Any], bot: Bot) -> Update | None:
    """Return an update as an object; None when it is of a kind that nobody deals with.

    Raises:
        UnreadableError: what it is nothing without cannot be read.
    """
    if UNREAD in payload:
        raise UnreadableError("it is not a JSON object")
    kind = next((name for name in _FORMS if isinstance(payload.get(name), Mapping)), None)
    if kind is None:
        return None
    form, needed = _FORMS[kind]
    known = {**payload[kind]}
    _check(known)
    number = payload.get("update_id")
    try:
        return Update.de_json({"update_id": number, kind: dict(known)}, bot)
    except Exception:  # noqa: BLE001 - the library raises whatever a wrong form leads to
        readable = _readable(form, known, needed, bot)
        return Update.de_json({"update_id": number, kind: readable}, bot)


def words_of(message: Mapping[str, Any]) -> str:
    """Return what a message says, as it came: its text, its caption or its rich text."""
    for name in ("text", "caption"):
        found = message.get(name)
        if isinstance(found, str) and found:
            return found
    return rich_text(message.get("rich_message"))


def is_from_others(message: Mapping[str, Any]) -> bool:
    """Whether a message, as it came, holds the words of somebody other than its sender.

    A forward, also one whose origin cannot be read, and what another bot wrote in their name.
    """
    return "via_bot" in message or any(
        name.startswith("forward") and value for name, value in message.items()
    )


def _check(known: dict[str, Any]) -> None:
    """Drop texts that are none, and see that people are people; the library checks no types."""
    for name in _TEXTS:
        if name in known and not isinstance(known[name], str):
            del known[name]
    for name in _PEOPLE:
        person = known.get(name)
        if person is not None and not (isinstance(person, Mapping) and _is_id(person.get("id"))):
            raise UnreadableError(f"its {name} is nobody")
    chat = known.get("chat")
    if chat is not None and not (isinstance(chat, Mapping) and _is_id(chat.get("id"))):
        raise UnreadableError("its chat is none")


def _readable(
    form: type[TelegramObject], known: Mapping[str, Any], needed: frozenset[str], bot: Bot
) -> dict[str, Any]:
    """Return what of an object can be read.

    Raises:
        UnreadableError: not even what is needed can.
    """
    kept = {name: known[name] for name in needed if name in known}
    if "date" in kept and not _is_readable(form, kept, bot):
        kept["date"] = 0  # when it was said matters to nobody
    if not _is_readable(form, kept, bot):
        raise UnreadableError("what it is nothing without has another form")
    others = {name: value for name, value in known.items() if name not in needed}
    return kept | {
        name: value
        for name, value in others.items()
        if _is_readable(form, {**kept, name: value}, bot)
    }


def _is_readable(form: type[TelegramObject], data: dict[str, Any], bot: Bot) -> bool:
    try:
        form.de_json(dict(data), bot)
    except Exception:  # noqa: BLE001 - likewise
        return False
    return True


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
