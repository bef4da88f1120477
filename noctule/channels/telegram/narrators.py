"""Who tells a chat of which kind of session."""

from collections.abc import Callable, Mapping

from noctule.channels.telegram.office import Office
from noctule.channels.telegram.talk import Talk
from noctule.channels.telegram.watching import Narrator, Telling
from noctule.channels.telegram.work import Work
from noctule.core.chats import WatchKind

NARRATORS: Mapping[WatchKind, Callable[[Office, Telling], Narrator]] = {
    WatchKind.TALK: Talk,
    WatchKind.WORK: Work,
}
"""The narrator of each kind of watch."""
