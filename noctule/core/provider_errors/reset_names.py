"""The names under which answers tell when to come back and what is used up, as data.

Read in headers and in objects at any depth of a body, in any spelling (``retryAfterMs``,
``retry_after_ms``, ``X-Retry-After-Ms``). Sources: the header and error pages of the providers and
the error bodies their users report, each in tests/fixtures/refusals (checked 2026-11).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_JOINED = {
    "ratelimit": ("rate", "limit"),
    "retryafter": ("retry", "after"),
    "retrydelay": ("retry", "delay"),
    "resetat": ("reset", "at"),
    "resettime": ("reset", "time"),
    "timestamp": ("time", "stamp"),
    "usedpercent": ("used", "percent"),
}
_UNITS = {
    **dict.fromkeys(("ns", "nanos", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "micros", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "millis", "milliseconds", "msec"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "seconds"), 1.0),
    **dict.fromkeys(("mins", "minutes"), 60.0),
    **dict.fromkeys(("hrs", "hours"), 3600.0),
}
"""Plurals and abbreviations; "minute" and "day" alone say which window it is, not the unit."""

_ORDERS = (
    ("retry", "after"),
    ("retry", "delay"),
    ("retry", "in"),
    ("retry", "at"),
    ("retry", "time"),
    ("wait",),
    ("wait", "time"),
    ("cooldown",),
    ("cool", "down"),
    ("backoff",),
    ("back", "off"),
    ("try", "again"),
    ("available", "at"),
    ("available", "in"),
    ("blocked", "until"),
    ("limited", "until"),
    ("locked", "until"),
    ("paused", "until"),
    ("throttled", "until"),
    ("cooldown", "until"),
    ("unlocks", "at"),
    ("unblocked", "at"),
    ("recovery", "time"),
    ("until",),
    ("estimated", "time"),
)
"""What tells a client when to come back, whatever is used up."""

_LONGEST_FIRST = sorted(_ORDERS, key=len, reverse=True)
_MOMENTS = frozenset({"at", "until"})

_RESETS = frozenset(
    {"reset", "resets", "refresh", "refreshes", "renew", "renews", "renewal", "flush"}
)
_AT = frozenset({"at", "time", "stamp", "date", "datetime", "epoch", "unix"})
_IN = frozenset({"in", "after", "delay", "remaining", "until", "left"})
_LEVELS = {
    ("remaining",): "remaining",
    ("left",): "remaining",
    ("used", "percent"): "percent",
    ("percent", "used"): "percent",
    ("used", "percentage"): "percent",
    ("utilization",): "share",
    ("utilisation",): "share",
    ("remaining", "percent"): "remaining",
    ("remaining", "fraction"): "remaining",
    ("status",): "status",
}
_NOT_AHEAD = frozenset(
    [
        "overage",
        "fallback",
        "last",
        "previous",
        "prev",
        "start",
        "started",
        "password",
        "token",
        "secret",
        "count",
        "credits",
    ]
)
_FILLERS = frozenset(
    {"x", "the", "info", "quota", "next", "utc", "iso", "iso8601", "rfc3339", "window"}
)
_BESIDE_ORDERS = frozenset({"user", "rate", "limit", "hint", "delay", "suggested", "global"})
EMPTY_STATUSES = frozenset({"rejected", "exceeded", "exhausted", "blocked", "limited", "throttled"})


class ResetMeaning(StrEnum):
    """What a name tells."""

    ORDER = "order"
    """When to come back."""

    RESET = "reset"
    """When something that is used up is full again."""

    LEVEL = "level"
    """How much of it is left or used."""


@dataclass(frozen=True, slots=True)
class TimeName:
    """A name, understood.

    Args:
        role: what it tells.
        bucket: the words that are left, which say what the time or the level belongs to.
        unit_seconds: how long a number of it is; None when the name has no unit (seconds).
        moment: True when a number is a point in time ("reset_at"), False for a wait
            ("reset_after"), None when only its size tells ("reset").
        level: for a level ``remaining``, ``percent`` (used), ``share`` (used, 0 to 1) or
            ``status``.
    """

    role: ResetMeaning
    bucket: tuple[str, ...] = ()
    unit_seconds: float | None = None
    moment: bool | None = None
    level: str = ""


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case: ``retryAfterMs`` gives retry, after, ms."""
    parts = [part.lower() for part in _SPLIT.split(name) if part]
    return tuple(word for part in parts for word in _JOINED.get(part, (part,)))


@lru_cache(maxsize=4096)
def understand(name: str) -> TimeName | None:
    """Return what a name tells; None for one that tells no time and no level."""
    words = words_of(name)
    if not words or len(words) > 12 or _NOT_AHEAD & set(words):  # noqa: PLR2004 - names, not sentences
        return None
    unit = next((_UNITS[word] for word in words if word in _UNITS), None)
    bare = tuple(word for word in words if word not in _UNITS and word != "info")
    for order in _LONGEST_FIRST:
        if (at := _position(bare, order)) is not None:
            if {*bare[:at], *bare[at + len(order) :]} - _FILLERS - _BESIDE_ORDERS:
                continue
            moment = None if order[-1] == "time" else order[-1] in _MOMENTS
            return TimeName(ResetMeaning.ORDER, unit_seconds=unit, moment=moment)
    if _RESETS & set(bare):
        tells_wait = bool(_IN & set(bare)) or (unit is not None and not _AT & set(bare))
        tells_when = bool(_AT & set(bare)) and not tells_wait
        bucket = tuple(w for w in bare if w not in _RESETS | _AT | _IN | _FILLERS)
        moment = True if tells_when else False if tells_wait else None
        return TimeName(ResetMeaning.RESET, bucket, unit, moment)
    for words_of_level, level in sorted(_LEVELS.items(), key=lambda item: -len(item[0])):
        if (at := _position(bare, words_of_level)) is not None:
            rest = (*bare[:at], *bare[at + len(words_of_level) :])
            bucket = tuple(word for word in rest if word not in _FILLERS)
            return TimeName(ResetMeaning.LEVEL, bucket, level=level)
    return None


def _position(words: tuple[str, ...], part: tuple[str, ...]) -> int | None:
    size = len(part)
    return next((i for i in range(len(words) - size + 1) if words[i : i + size] == part), None)
