"""The methods of the Bot API that are there, by the name that is asked for."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.telegram import actions, menus, polling, texts, webhooks
from tests.support.telegram.params import Params
from tests.support.telegram.world import World

Method = Callable[[World, Params], Any | Awaitable[Any]]

METHODS: dict[str, Method] = {
    "answerCallbackQuery": texts.answer_callback_query,
    "deleteMyCommands": menus.delete_my_commands,
    "deleteWebhook": webhooks.delete_webhook,
    "getMyCommands": menus.get_my_commands,
    "getWebhookInfo": webhooks.get_webhook_info,
    "sendChatAction": actions.send_chat_action,
    "setMyCommands": menus.set_my_commands,
    "setWebhook": webhooks.set_webhook,
    "deleteMessage": texts.delete_message,
    "editMessageReplyMarkup": texts.edit_message_reply_markup,
    "editMessageText": texts.edit_message_text,
    "getMe": polling.get_me,
    "getUpdates": polling.get_updates,
    "sendMessage": texts.send_message,
}

_SPELLINGS = {name.lower(): name for name in METHODS}


def spelled(name: str) -> str:
    """Return a method's name as the documentation spells it; unknown ones as they are."""
    return _SPELLINGS.get(name.lower(), name)
