"""Methods by which the bot shows something that is no message: typing, drafts, reactions, pins."""

from tests.support.telegram.chats import ChatAction, ChatKind, Draft
from tests.support.telegram.envelopes import open_chat
from tests.support.telegram.formatting import MOST_TEXT_UNITS, read_formatted
from tests.support.telegram.marks import units
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
# Part of those that everybody may use; the rest is refused here, which is stricter than Telegram.
EMOJI = frozenset(
    "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾🤷😡"
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


def send_message_draft(world: World, params: Params) -> bool:
    """``sendMessageDraft``: an answer that is being written, in private chats; gone after 30 s."""
    chat = open_chat(world, params)
    if chat.kind is not ChatKind.PRIVATE:
        raise bad_request("drafts can be sent to private chats only")
    draft = params.integer("draft_id")
    if not draft:
        raise bad_request("draft_id must be non-zero")
    text, entities = read_formatted(params)
    if units(text) > MOST_TEXT_UNITS:
        raise bad_request("message is too long")
    chat.drafts.append(Draft(world.clock.monotonic(), draft, text, entities))
    chat.pulse.beat()
    return True


def set_message_reaction(world: World, params: Params) -> bool:
    """``setMessageReaction``: one emoji, or none to take it back."""
    chat = open_chat(world, params)
    message = chat.find(params.integer("message_id"))
    if message is None:
        raise bad_request("message to react not found")
    reactions = params.structure("reaction", "reaction") or []
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    for reaction in reactions:
        if reaction.get("emoji", "").rstrip("\ufe0f") not in EMOJI:
            raise bad_request("REACTION_INVALID")
    message.reactions[world.bot.id] = reactions
    chat.pulse.beat()
    return True


def pin_chat_message(world: World, params: Params) -> bool:
    """``pinChatMessage``."""
    chat = open_chat(world, params)
    message = chat.find(params.integer("message_id"))
    if message is None:
        raise bad_request("message to pin not found")
    if message.id not in chat.pinned:
        chat.pinned.append(message.id)
    chat.pulse.beat()
    return True


def unpin_chat_message(world: World, params: Params) -> bool:
    """``unpinChatMessage``; without a message the latest one."""
    chat = open_chat(world, params)
    asked = params.optional_integer("message_id")
    number = asked or (chat.pinned[-1] if chat.pinned else None)
    if number not in chat.pinned:
        raise bad_request("message to unpin not found")
    chat.pinned.remove(number)
    chat.pulse.beat()
    return True
