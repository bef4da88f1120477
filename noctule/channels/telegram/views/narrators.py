"""Who tells a chat of which kind of session."""

from collections.abc import Callable, Mapping

from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.base.subscriptions import Narrator, ViewSender
from noctule.channels.telegram.views.chat_view import ChatView
from noctule.channels.telegram.views.run_view import RunView
from noctule.core.messaging.chats import WatchKind

NARRATORS: Mapping[WatchKind, Callable[[BotContext, ViewSender], Narrator]] = {
    WatchKind.TALK: ChatView,
    WatchKind.WORK: RunView,
}
"""The narrator of each kind of watch."""
