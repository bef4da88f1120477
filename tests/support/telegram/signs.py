"""When a person could see that the bot is alive: typing, drafts, messages and edits."""

import math

from tests.support.telegram.chats import Chat
from tests.support.telegram.messages import Message


def signs_of_life(chat: Chat, topic: int | None = None) -> list[float]:
    """Return the moments of all signs in a chat, in monotonic seconds, in order."""
    messages = [m for m in chat.messages.values() if m.from_bot and topic in (None, m.topic)]
    return sorted(
        [action.at for action in chat.actions if topic in (None, action.topic)]
        + [draft.at for draft in chat.drafts]
        + [version.at for message in messages for version in message.versions]
    )


def first_sign(after: Message) -> float | None:
    """Return the seconds from a person's message to the first sign; None while there is none."""
    times = signs_of_life(after.chat, after.topic)
    return next((at - after.sent_at for at in times if at >= after.sent_at), None)


def longest_silence(after: Message, until: Message | None = None) -> float:
    """Return the longest time in seconds without a sign, from one message to another.

    Args:
        after: a person's message.
        until: the bot's last word; None is the last sign there was.

    Returns:
        Infinity when there was no sign at all.
    """
    end = math.inf if until is None else until.sent_at
    times = [at for at in signs_of_life(after.chat, after.topic) if after.sent_at <= at <= end]
    if not times:
        return math.inf
    return max(
        later - sooner for sooner, later in zip([after.sent_at, *times], times, strict=False)
    )
