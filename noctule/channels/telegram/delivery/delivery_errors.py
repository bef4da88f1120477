"""What came of handing something to Telegram, and what it means for the message."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)


class DeliveryAction(StrEnum):
    """What to do with a message that was not taken."""

    LATER = "later"
    """It did not arrive; try again."""
    UNCLEAR = "unclear"
    """It may have arrived; try again and mark it."""
    PLAIN = "plain"
    """Its formatting was refused; send it without."""
    LOOSE = "loose"
    """What it answers, or the topic it was for, is gone; send it without."""
    UNCHANGED = "unchanged"
    """An edit changes nothing: it is done."""
    GONE = "gone"
    """The message an edit is for is gone."""
    MOVED = "moved"
    """The chat has another id now."""
    BARE = "bare"
    """Telegram does not like it for a reason we do not know; send the text and nothing else."""
    NEVER = "never"
    """It will not be taken, ever."""
    MISSING = "missing"
    """The server says that it does not have the method, or not at this address."""
    LOCKED_OUT = "locked_out"
    """The token does not count any more."""


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """Why a message was not taken.

    Args:
        verdict: what to do.
        reason: in Telegram's words, without the token.
        wait_s: how long Telegram wants to be left alone; None when it did not say.
        moved_to: the chat's new id; None unless it moved.
        answered: whether Telegram itself said so; an outage is somebody else's.
    """

    verdict: DeliveryAction
    reason: str
    wait_s: float | None = None
    moved_to: int | None = None
    answered: bool = False


_FOREVER_WORDS = ("chat not found", "not enough rights", "have no rights", "write_forbidden")
_MISSING = "method not found"
_TOO_LARGE = "request entity too large"
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_WORDS = (
    ("message is not modified", DeliveryAction.UNCHANGED),
    ("message to edit not found", DeliveryAction.GONE),
    ("message can't be edited", DeliveryAction.GONE),
    ("message_id_invalid", DeliveryAction.GONE),
    ("can't parse entities", DeliveryAction.PLAIN),
    ("entity", DeliveryAction.PLAIN),
    ("entities", DeliveryAction.PLAIN),
    ("message to be replied not found", DeliveryAction.LOOSE),
    ("message to reply not found", DeliveryAction.LOOSE),
    ("message thread not found", DeliveryAction.LOOSE),
    ("topic_closed", DeliveryAction.LOOSE),
)


def read_refusal(error: TelegramError) -> DeliveryFailure:
    """Return what an error of python-telegram-bot means for the message it was raised for."""
    reason = str(error)
    if isinstance(error, RetryAfter):
        return DeliveryFailure(
            DeliveryAction.LATER, "flood control", wait_s=_seconds(error.retry_after)
        )
    if isinstance(error, ChatMigrated):
        return DeliveryFailure(DeliveryAction.MOVED, reason, moved_to=error.new_chat_id)
    answered = error.__cause__ is None and not isinstance(error, TimedOut)
    return DeliveryFailure(_verdict(error, reason), reason, answered=answered)


def is_missing(error: TelegramError) -> bool:
    """Whether the Bot API server does not have a method: an older one, or one of one's own.

    python-telegram-bot 22 raises ``InvalidToken`` for every 404, and the words tell them apart.
    """
    return isinstance(error, InvalidToken) and _MISSING in str(error).lower()


def _verdict(error: TelegramError, reason: str) -> DeliveryAction:
    match error:
        case InvalidToken():
            if is_missing(error):
                return DeliveryAction.NEVER
            # 401 is a revoked token; one that worked is not malformed: a 404 is the method.
            return (
                DeliveryAction.MISSING
                if "not found" in reason.lower()
                else DeliveryAction.LOCKED_OUT
            )
        case Forbidden():
            return DeliveryAction.NEVER
        case BadRequest():
            return _by_words(reason)
        case NetworkError():
            return _by_cause(error)
        case _:
            return DeliveryAction.LATER


def _seconds(wait: int | timedelta) -> float:
    return float(wait) if isinstance(wait, int) else wait.total_seconds()


def _by_words(reason: str) -> DeliveryAction:
    said = reason.lower()
    if any(words in said for words in _FOREVER_WORDS):
        return DeliveryAction.NEVER
    return next((verdict for words, verdict in _WORDS if words in said), DeliveryAction.BARE)


def _by_cause(error: TelegramError) -> DeliveryAction:
    cause = error.__cause__
    if _TOO_LARGE in str(error).lower():
        return DeliveryAction.NEVER
    if isinstance(cause, _NEVER_SENT):
        return DeliveryAction.LATER
    # Without a cause it is an answer, like "Internal Server Error": the request was not taken.
    return (
        DeliveryAction.LATER
        if cause is None and not isinstance(error, TimedOut)
        else DeliveryAction.UNCLEAR
    )
