"""Telegram's limits on messages: kept on request, and always measured.

From the Bot API's FAQ (checked 2026-11): no more than about 30 messages a second in all, one a
second in one chat with short bursts above it, 20 a minute in one group. Edits count like messages.
"""

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field

from tests.support.telegram.refusals import too_many_requests

COUNTED = frozenset(
    {
        "sendMessage",
        "sendDocument",
        "sendPhoto",
        "sendMediaGroup",
        "editMessageText",
        "editMessageCaption",
        "editMessageReplyMarkup",
    }
)
_MINUTE = 60.0


@dataclass(frozen=True)
class Limits:
    """How much is allowed.

    Args:
        in_all: messages a second to all chats.
        in_chat: messages a second to one chat, for ever.
        burst: messages that may come at once in a chat that was quiet for long.
        in_group: messages in any minute to one group.
        least_wait_seconds: the smallest ``retry_after``.
    """

    in_all: float = 30.0
    in_chat: float = 1.0
    burst: float = 5.0
    in_group: int = 20
    least_wait_seconds: int = 1


@dataclass
class _Bucket:
    """What may still be sent at once; it fills again with time."""

    size: float
    per_second: float
    left: float
    at: float = -math.inf

    def wait(self, now: float) -> float:
        """Return the seconds until one more is allowed; 0 when it is now."""
        passed = now - self.at
        self.left = self.size if math.isinf(passed) else self.left + passed * self.per_second
        self.left = min(self.left, self.size)
        self.at = now
        return max(0.0, (1 - self.left) / self.per_second)


@dataclass(frozen=True)
class Sent:
    """One message or edit that was counted.

    Args:
        at: monotonic seconds.
        chat: where.
        over: whether it was more than is allowed.
    """

    at: float
    chat: int
    over: bool


@dataclass
class Flood:
    """Counts messages, and refuses those that are too many when it is told to.

    Args:
        enforced: whether 429 is answered; counted is in any case.
        limits: how much is allowed.
    """

    enforced: bool = False
    limits: Limits = field(default_factory=Limits)
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        most = self.limits.in_all
        self._in_all = _Bucket(most, most, most)
        self._chats: dict[int, _Bucket] = {}
        self._groups: dict[int, deque[float]] = defaultdict(deque)
        self._closed_until: dict[int, float] = {}

    @property
    def over(self) -> list[Sent]:
        """Those that were more than is allowed, whether or not they were refused."""
        return [sent for sent in self.sent if sent.over]

    def count(self, method: str, chat: int | None, now: float) -> None:
        """Count a call that sends or edits.

        Raises:
            Refusal: it is one too many, and limits are enforced.
        """
        if chat is None or method not in COUNTED:
            return
        closed = self._closed_until.get(chat, now) - now
        if closed > 0:
            self.sent.append(Sent(now, chat, over=True))
            raise too_many_requests(max(self.limits.least_wait_seconds, math.ceil(closed)))
        wait = self._wait(chat, now)
        self.sent.append(Sent(now, chat, over=wait > 0))
        if wait > 0:
            if self.enforced:
                seconds = max(self.limits.least_wait_seconds, math.ceil(wait))
                self._closed_until[chat] = now + seconds
                raise too_many_requests(seconds)
            return
        self._in_all.left -= 1
        self._bucket(chat).left -= 1
        if chat < 0:
            self._groups[chat].append(now)

    def close(self, chat: int, seconds: float, now: float) -> None:
        """Refuse everything that is counted in a chat for a while, whether or not enforced."""
        self._closed_until[chat] = now + seconds

    def peak(self, seconds: float, chat: int | None = None) -> int:
        """Return the most that came in any stretch of that length, in one chat or in all."""
        times = [sent.at for sent in self.sent if chat in (None, sent.chat)]
        most = begin = 0
        for end, at in enumerate(times):
            while at - times[begin] >= seconds:
                begin += 1
            most = max(most, end - begin + 1)
        return most

    def _wait(self, chat: int, now: float) -> float:
        waits = [self._in_all.wait(now), self._bucket(chat).wait(now)]
        minute = self._groups[chat] if chat < 0 else deque[float]()
        while minute and now - minute[0] >= _MINUTE:
            minute.popleft()
        if len(minute) >= self.limits.in_group:
            waits.append(minute[0] + _MINUTE - now)
        return max(waits)

    def _bucket(self, chat: int) -> _Bucket:
        if chat not in self._chats:
            burst = self.limits.burst
            self._chats[chat] = _Bucket(burst, self.limits.in_chat, burst)
        return self._chats[chat]
