"""Moments as providers write them: durations, dates and epochs, told apart by their form."""

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from noctule.core.durations import parse_duration

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_SMALLEST_EPOCH = 1e8
"""Numbers from here on are moments (3 years as a wait, March 1973 as an epoch)."""
_LARGEST_EPOCH = 1e11
"""Seconds stay below (the year 5138); above are milliseconds, microseconds or nanoseconds."""


def seconds_from(text: str) -> float | None:
    """Return the seconds of a plain number; None for anything else, infinities included."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    seconds = float(text)
    return seconds if math.isfinite(seconds) else None


def moment_from(text: str, now: datetime) -> datetime | None:
    """Read the reset of a bucket; None when it is in no known form or out of all bounds.

    Args:
        text: a duration from now (``6m0s``, ``2m59.56s``, ``12ms``, a small number of seconds),
            RFC 3339, an HTTP date, or an epoch in seconds or finer.
        now: what durations count from, aware.
    """
    stripped = text.strip()
    number = seconds_from(stripped)
    if number is None:
        duration = duration_from(stripped)
        return after(now, duration) if duration is not None else date_from(stripped)
    if abs(number) < _SMALLEST_EPOCH:
        return after(now, number)
    while number >= _LARGEST_EPOCH:
        number /= 1000
    return after(datetime(1970, 1, 1, tzinfo=UTC), number)


def duration_from(text: str) -> float | None:
    """Return the seconds of a duration with units, a minus sign allowed; None for anything else."""
    sign = -1 if text.startswith("-") else 1
    try:
        return sign * parse_duration(text.lstrip("-")).total_seconds()
    except (ValueError, OverflowError):
        return None


def date_from(text: str) -> datetime | None:
    """Read RFC 3339 or an HTTP date; without a zone it counts as UTC. None for anything else."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def after(start: datetime, seconds: float) -> datetime | None:
    """Return a moment some seconds from a start; None when no calendar reaches it."""
    try:
        return start + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None
