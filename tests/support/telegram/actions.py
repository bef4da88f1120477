"""Methods by which the bot shows that it is at work, without a message."""

from tests.support.telegram.chats import ChatAction
from tests.support.telegram.envelopes import open_chat
from tests.support.telegram.params import Params
from tests.support.telegram.refusals import bad_request
from tests.support.telegram.world import World

ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


def send_chat_action(world: World, params: Params) -> bool:
    """``sendChatAction``: shown for five seconds, or until the next message."""
    chat = open_chat(world, params)
    action = params.text("action")
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    topic = params.optional_integer("message_thread_id")
    chat.check_topic(topic)
    chat.actions.append(ChatAction(world.clock.monotonic(), action, topic))
    chat.pulse.beat()
    return True
