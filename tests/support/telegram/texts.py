"""Methods that send, change and take back text, and answer pressed buttons."""

from typing import Any

from tests.support.telegram.envelopes import open_chat, read_envelope, read_markup
from tests.support.telegram.formatting import MOST_TEXT_UNITS, read_formatted
from tests.support.telegram.marks import units
from tests.support.telegram.messages import Markup, Message
from tests.support.telegram.params import Params
from tests.support.telegram.refusals import bad_request
from tests.support.telegram.world import World

_UNCHANGED = (
    "message is not modified: specified new message content and reply markup are exactly the "
    "same as a current content and reply markup of the message"
)


def send_message(world: World, params: Params) -> dict[str, Any]:
    """``sendMessage``."""
    envelope = read_envelope(world, params)
    return envelope.post(world, _read_text(params, "message is too long")).document()


def edit_message_text(world: World, params: Params) -> dict[str, Any]:
    """``editMessageText``; without a keyboard it takes the old one away."""
    message = own_message(world, params, "edit")
    content = _read_text(params, "MESSAGE_TOO_LONG")
    if "text" not in message.content:
        raise bad_request("there is no text in the message to edit")
    return change(world, message, content, read_markup(params, inline=True))


def edit_message_reply_markup(world: World, params: Params) -> dict[str, Any]:
    """``editMessageReplyMarkup``."""
    message = own_message(world, params, "edit")
    return change(world, message, message.content, read_markup(params, inline=True))


def delete_message(world: World, params: Params) -> bool:
    """``deleteMessage``: the bot's own anywhere, those of others in private chats too."""
    chat = open_chat(world, params)
    message = chat.find(params.integer("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    if not message.from_bot and chat.id < 0:
        raise bad_request("message can't be deleted")
    world.delete([message])
    return True


def delete_messages(world: World, params: Params) -> bool:
    """``deleteMessages``: those that are not there are passed over."""
    chat = open_chat(world, params)
    numbers = params.structure("message_ids", "message identifiers") or []
    found = [chat.find(int(number)) for number in numbers]
    world.delete(message for message in found if message is not None)
    return True


def answer_callback_query(world: World, params: Params) -> bool:
    """``answerCallbackQuery``."""
    press = world.presses.get(params.text("callback_query_id"))
    now = world.clock.monotonic()
    if press is None or now - press.at > world.presses.lifetime_seconds:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    press.answered_at = now
    press.answer = params.text("text")
    press.alert = params.flag("show_alert")
    press.message.chat.pulse.beat()
    return True


def own_message(world: World, params: Params, to: str) -> Message:
    """Return the bot's message that is meant.

    Raises:
        Refusal: there is none, or another one wrote it.
    """
    chat = open_chat(world, params)
    message = chat.find(params.integer("message_id"))
    if message is None:
        raise bad_request(f"message to {to} not found")
    if not message.from_bot:
        raise bad_request(f"message can't be {to}ed")
    return message


def change(
    world: World, message: Message, content: dict[str, Any], markup: Markup | None
) -> dict[str, Any]:
    """Let a message say something else.

    Raises:
        Refusal: it would say what it says.
    """
    if content == message.content and markup == message.markup:
        raise bad_request(_UNCHANGED)
    message.markup = markup
    world.change(message, content)
    return message.document()


def _read_text(params: Params, too_long: str) -> dict[str, Any]:
    text, entities = read_formatted(params)
    if not text:
        raise bad_request("message text is empty")
    if units(text) > MOST_TEXT_UNITS:
        raise bad_request(too_long)
    preview = params.structure("link_preview_options", "link preview options")
    content = {"text": text, "entities": entities, "link_preview_options": preview}
    return {name: value for name, value in content.items() if value}
