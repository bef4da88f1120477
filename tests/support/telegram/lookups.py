"""Methods that tell about chats and the people in them, and open topics."""

from typing import Any

from tests.support.telegram.chats import Chat, ChatKind
from tests.support.telegram.envelopes import open_chat
from tests.support.telegram.params import Params
from tests.support.telegram.refusals import bad_request
from tests.support.telegram.world import World

_TOPIC_COLOR = 0x6FB9F0


def get_chat(world: World, params: Params) -> dict[str, Any]:
    """``getChat``."""
    chat = open_chat(world, params)
    gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription"), False
    ) | {"gifts_from_channels": False}
    full = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": gifts}
    return chat.document | full


def get_chat_member(world: World, params: Params) -> dict[str, Any]:
    """``getChatMember``."""
    chat = open_chat(world, params)
    user = params.integer("user_id")
    if user == world.bot.id:
        return {"status": "member", "user": world.bot.document}
    person = world.people.get(user)
    if person is None:
        raise bad_request("user not found")
    return {"status": _status(chat, user), "user": person.document} | _rights(chat, user)


def get_chat_administrators(world: World, params: Params) -> list[dict[str, Any]]:
    """``getChatAdministrators``: whoever is named first made the group."""
    chat = open_chat(world, params)
    if chat.kind is ChatKind.PRIVATE:
        raise bad_request("there are no administrators in the private chat")
    creator = chat.people[0]
    return [{"status": "creator", "user": creator.document, "is_anonymous": False}]


def get_chat_member_count(world: World, params: Params) -> int:
    """``getChatMemberCount``."""
    return len(open_chat(world, params).people) + 1


def leave_chat(world: World, params: Params) -> bool:
    """``leaveChat``."""
    chat = open_chat(world, params)
    if chat.kind is ChatKind.PRIVATE:
        raise bad_request("chat member status can't be changed in private chats")
    chat.kicked = True
    return True


def create_forum_topic(world: World, params: Params) -> dict[str, Any]:
    """``createForumTopic``."""
    chat = open_chat(world, params)
    if not chat.forum:
        raise bad_request("the chat is not a forum")
    name = params.text("name")
    if not 1 <= len(name) <= 128:
        raise bad_request("TOPIC_TITLE_EMPTY" if not name else "TOPIC_TITLE_INVALID")
    topic = world.chats.open_topic(chat, name)
    return {"message_thread_id": topic, "name": name, "icon_color": _TOPIC_COLOR}


def _status(chat: Chat, user: int) -> str:
    if chat.kind is not ChatKind.PRIVATE and chat.people and chat.people[0].id == user:
        return "creator"
    return "member" if any(person.id == user for person in chat.people) else "left"


def _rights(chat: Chat, user: int) -> dict[str, Any]:
    return {"is_anonymous": False} if _status(chat, user) == "creator" else {}
