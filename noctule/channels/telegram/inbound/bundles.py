"""Bundles: updates that are one thing a person said, although Telegram brings them one by one.

An album, a paste that the app cut because one message takes 4,096 characters, several messages
forwarded at once, a comment and what it is about. Nothing but the stored updates decides: after a
restart the same ones belong together.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from noctule.channels.telegram.delivery.splitting import utf16
from noctule.channels.telegram.inbound.update_reader import SAID, is_from_others
from noctule.core.messaging.messages import InboxUpdate

HOLD = timedelta(seconds=1.2)
"""How long after a part the next one may arrive; Telegram sends them at once."""

_MOST_UNITS = 4096
"""The longest message people can send (limits.tginfo.me, and Bot API, Message)."""

_CUT_FROM = _MOST_UNITS // 2
"""Apps cut at the best place in the second half (Telegram Desktop, TextUtilities::CutPart)."""

_SAME_S = 2
"""Parts are dated within so many seconds of each other."""

_MOST_PARTS = 50


def goes_on(parts: Sequence[InboxUpdate], following: InboxUpdate) -> bool:
    """Whether an update is the next part of what others are the beginning of."""
    last, then = _message(parts[-1]), _message(following)
    if last is None or then is None or len(parts) >= _MOST_PARTS:
        return False
    if _sender(last) is None or _sender(last) != _sender(then):
        return False
    group = last.get("media_group_id")
    if group is not None or then.get("media_group_id") is not None:
        return group == then.get("media_group_id")
    if not _at_once(last, then):
        return False
    if is_from_others(then):
        return is_from_others(last) or (len(parts) == 1 and _is_comment(last))
    return not is_from_others(last) and _is_cut(last, then)


def may_go_on(parts: Sequence[InboxUpdate]) -> bool:
    """Whether it is worth waiting for another part."""
    last = _message(parts[-1])
    if last is None or len(parts) >= _MOST_PARTS:
        return False
    return (
        last.get("media_group_id") is not None
        or is_from_others(last)
        or utf16(_text(last)) >= _CUT_FROM
    )


def joined_text(texts: Sequence[str]) -> str:
    """Return the text of a paste from its parts; the app drops the white space where it cuts."""
    text = ""
    for part in texts:
        cut_off = not text or utf16(text) % _MOST_UNITS == 0
        text += part if cut_off else f"\n{part}"
    return text


def _message(update: InboxUpdate) -> Mapping[str, Any] | None:
    message = update.payload.get(SAID)
    return message if isinstance(message, Mapping) else None


def _sender(message: Mapping[str, Any]) -> object:
    sender = message.get("from")
    return sender.get("id") if isinstance(sender, Mapping) else None


def _text(message: Mapping[str, Any]) -> str:
    text = message.get("text")
    return text if isinstance(text, str) else ""


def _at_once(last: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    before, after = last.get("date"), then.get("date")
    if not isinstance(before, int) or not isinstance(after, int):
        return False
    return abs(after - before) <= _SAME_S


def _is_cut(last: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Whether two texts are one that did not fit into a message; nobody types that fast."""
    before, after = utf16(_text(last)), utf16(_text(then))
    return before >= _CUT_FROM and after > 0 and before + after > _MOST_UNITS


def _is_comment(message: Mapping[str, Any]) -> bool:
    """Whether a message can be what a person says about what they forward with it."""
    text = _text(message)
    return bool(text) and not text.startswith("/") and "reply_to_message" not in message
