"""The methods of the Bot API that are there, by the name that is asked for."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.telegram import actions, files, lookups, media, menus, polling, texts, webhooks
from tests.support.telegram.params import Params
from tests.support.telegram.world import World

Method = Callable[[World, Params], Any | Awaitable[Any]]

METHODS: dict[str, Method] = {
    "answerCallbackQuery": texts.answer_callback_query,
    "createForumTopic": lookups.create_forum_topic,
    "deleteMessage": texts.delete_message,
    "deleteMessages": texts.delete_messages,
    "deleteMyCommands": menus.delete_my_commands,
    "deleteWebhook": webhooks.delete_webhook,
    "editMessageCaption": media.edit_message_caption,
    "editMessageReplyMarkup": texts.edit_message_reply_markup,
    "editMessageText": texts.edit_message_text,
    "getChat": lookups.get_chat,
    "getChatAdministrators": lookups.get_chat_administrators,
    "getChatMember": lookups.get_chat_member,
    "getChatMemberCount": lookups.get_chat_member_count,
    "getChatMenuButton": menus.get_chat_menu_button,
    "getFile": files.get_file,
    "getMe": polling.get_me,
    "getMyCommands": menus.get_my_commands,
    "getMyDescription": menus.getter("description"),
    "getMyName": menus.getter("name"),
    "getMyShortDescription": menus.getter("short_description"),
    "getUpdates": polling.get_updates,
    "getWebhookInfo": webhooks.get_webhook_info,
    "leaveChat": lookups.leave_chat,
    "pinChatMessage": actions.pin_chat_message,
    "sendChatAction": actions.send_chat_action,
    "sendDocument": media.send_document,
    "sendMediaGroup": media.send_media_group,
    "sendMessage": texts.send_message,
    "sendMessageDraft": actions.send_message_draft,
    "sendPhoto": media.send_photo,
    "setChatMenuButton": menus.set_chat_menu_button,
    "setMessageReaction": actions.set_message_reaction,
    "setMyCommands": menus.set_my_commands,
    "setMyDescription": menus.setter("description"),
    "setMyName": menus.setter("name"),
    "setMyShortDescription": menus.setter("short_description"),
    "setWebhook": webhooks.set_webhook,
    "unpinChatMessage": actions.unpin_chat_message,
}

_SPELLINGS = {name.lower(): name for name in METHODS}


def spelled(name: str) -> str:
    """Return a method's name as the documentation spells it; unknown ones as they are."""
    return _SPELLINGS.get(name.lower(), name)
