"""Where a message of the bot goes, and what goes with it, whatever its content is."""

from dataclasses import dataclass
from typing import Any

from tests.support.telegram.chats import Chat
from tests.support.telegram.messages import Markup, Message
from tests.support.telegram.params import Params
from tests.support.telegram.refusals import bad_request
from tests.support.telegram.world import World

MOST_DATA_BYTES = 64


@dataclass(frozen=True)
class Envelope:
    """Everything about a message but its content."""

    chat: Chat
    topic: int | None
    reply_to: Message | None
    markup: Markup | None
    silent: bool

    def post(self, world: World, content: dict[str, Any], **extra: Any) -> Message:
        """Send it; ``extra`` are other fields of the ``Message`` object."""
        return world.post(
            self.chat,
            world.bot,
            content,
            reply_to=self.reply_to,
            topic=self.topic,
            markup=self.markup,
            silent=self.silent,
            extra=extra,
        )


def read_envelope(world: World, params: Params) -> Envelope:
    """Read and check the parameters that all methods share which send something.

    Raises:
        Refusal: the chat, the topic or the message to reply to is not there for the bot.
    """
    chat = open_chat(world, params)
    reply_to = _replied_to(chat, params)
    topic = params.optional_integer("message_thread_id")
    if topic is None and reply_to is not None and chat.forum:
        topic = reply_to.topic
    chat.check_topic(topic)
    return Envelope(chat, topic, reply_to, read_markup(params), params.flag("disable_notification"))


def open_chat(world: World, params: Params) -> Chat:
    """Return the chat that is meant.

    Raises:
        Refusal: it is not there, or the bot may not write to it.
    """
    chat = world.chats.get(params.chat_id())
    chat.check_open()
    return chat


def _replied_to(chat: Chat, params: Params) -> Message | None:
    asked = params.structure("reply_parameters", "reply parameters")
    if asked is None:
        old = params.optional_integer("reply_to_message_id")
        asked = {"message_id": old} if old else None
    if not asked:
        return None
    found = chat.find(int(asked.get("message_id", 0)))
    missing_is_fine = asked.get("allow_sending_without_reply") or params.flag(
        "allow_sending_without_reply"
    )
    if found is None and not missing_is_fine:
        raise bad_request("message to be replied not found")
    return found


def read_markup(params: Params, *, inline: bool = False) -> Markup | None:
    """Return the inline keyboard that was sent; None for none, or for another kind of keyboard.

    Args:
        params: of the call.
        inline: whether another kind of keyboard is refused, as in edits.

    Raises:
        Refusal: a button is not valid.
    """
    markup = params.structure("reply_markup", "reply keyboard markup")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" not in markup:
        if inline and markup:
            raise bad_request("inline keyboard expected")
        return None
    rows = [row for row in markup["inline_keyboard"] if row]
    for row in rows:
        for button in row:
            _check_button(button)
    return {"inline_keyboard": rows} if rows else None


def _check_button(button: dict[str, Any]) -> None:
    if not button.get("text"):
        raise bad_request(
            'can\'t parse inline keyboard button: Field "text" must be of type String'
            if "text" not in button
            else "inline keyboard button text is empty"
        )
    data = button.get("callback_data")
    if data is None and len(button) == 1:
        raise bad_request("text buttons are unallowed in the inline keyboard")
    if data is not None and not 1 <= len(data.encode()) <= MOST_DATA_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
