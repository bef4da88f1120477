"""Who tells a chat of which kind of session."""

from collections.abc import Callable, Mapping

from noctule.channels.telegram.base.context import Office
from noctule.channels.telegram.base.subscriptions import Narrator, Telling
from noctule.channels.telegram.views.chat_view import Talk
from noctule.channels.telegram.views.run_view import Work
from noctule.core.messaging.chats import WatchKind

NARRATORS: Mapping[WatchKind, Callable[[Office, Telling], Narrator]] = {
    WatchKind.TALK: Talk,
    WatchKind.WORK: Work,
}
"""The narrator of each kind of watch."""
