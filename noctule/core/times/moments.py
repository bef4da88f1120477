"""Moments as providers write them: durations, dates and epochs, told apart by their form."""

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime

from noctule.core.times.time_words import MONTH_UNITS, UNITS, any_of
from noctule.core.times.written_times import read_time

_NUMBER = re.compile(r"[+-]?\d{1,300}(?:\.\d{1,300})?(?:[eE][+-]?\d{1,4})?")
_LONGEST_TEXT = 200
_SMALLEST_EPOCH = 1e8
"""Numbers from here on are moments (3 years as a wait, March 1973 as an epoch)."""
_SMALLEST_EPOCH_FOR_A_WAIT = 1e9
"""What is named a wait is a moment from 2001 on; below it is a wait nobody can mean."""
_LARGEST_EPOCH = 1e11
"""Seconds stay below (the year 5138); above are milliseconds, microseconds or nanoseconds."""
_UNIT = rf"(?:{any_of(name for name in UNITS if name not in MONTH_UNITS)})(?![a-zµ])"
_LENGTH = re.compile(r"(\d{1,3}):(\d{2}):(\d{2})")
_REPEATED = re.compile(r"\d{1,12}(?:\.\d{1,9})?(?:, +\d{1,12}(?:\.\d{1,9})?){1,5}")
"""A header that came twice, as proxies and clients join it; the longest wait counts."""

_ISO_DURATION = re.compile(
    r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?",
    re.IGNORECASE,
)
_PART = re.compile(
    rf"(\d{{1,12}}(?:\.\d{{1,12}})?)\s*({_UNIT})(?:\s*(?:,|and|und|又|零)?\s*)", re.IGNORECASE
)


def seconds_from(text: str) -> float | None:
    """Return the seconds of a plain number; None for anything else, infinities included."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    seconds = float(text)
    return seconds if math.isfinite(seconds) else None


def moment_from(
    value: object,
    now: datetime,
    *,
    zone: tzinfo = UTC,
    unit_seconds: float | None = None,
    moment: bool | None = None,
) -> datetime | None:
    """Read a time; None when it is in no known form or out of all bounds.

    Args:
        value: a number or a text: a duration from now (``6m0s``, ``2m59.56s``, ``12ms``, ``2
            minutes and 3 seconds``), ISO 8601, an HTTP date, an epoch in seconds or finer, a time
            of day; or a protobuf Duration spelled out (``{"seconds": "37"}``).
        now: what durations count from, aware.
        zone: where times without one are meant.
        unit_seconds: how long 1 is; None means a second.
        moment: True when it is named a point in time, False a wait, None when only size tells.
    """
    if isinstance(value, dict):
        value = _spelled_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        text = value.strip()[:_LONGEST_TEXT]
        if _REPEATED.fullmatch(text):
            text = max(text.split(","), key=float).strip()
        number = seconds_from(text)
        if number is None:
            duration = _clock_length(text) if moment is False else None
            duration = duration_from(text) if duration is None else duration
            return after(now, duration) if duration is not None else date_from(text, zone, now)
    else:
        number = float(value) if abs(value) < 1e30 else math.inf  # noqa: PLR2004 - beyond any calendar
    return None if not math.isfinite(number) else _from_number(number, now, unit_seconds, moment)


def _from_number(
    number: float,
    now: datetime,
    unit_seconds: float | None,
    moment: bool | None,  # noqa: FBT001 - None is a third answer
) -> datetime | None:
    smallest = _SMALLEST_EPOCH_FOR_A_WAIT if moment is False else _SMALLEST_EPOCH
    seconds = number * (unit_seconds or 1.0)
    if seconds < smallest:
        return after(now, seconds)
    while number >= _LARGEST_EPOCH:
        number /= 1000
    return after(datetime(1970, 1, 1, tzinfo=UTC), number)


def _spelled_duration(value: dict[object, object]) -> float | None:
    seconds = value.get("seconds")
    if isinstance(seconds, str):
        return seconds_from(seconds)
    return float(seconds) if isinstance(seconds, int | float) and abs(seconds) < 1e30 else None  # noqa: PLR2004 - as above


def _clock_length(text: str) -> float | None:
    """Read ``00:05:00`` where a length is told, not a time of day."""
    found = _LENGTH.fullmatch(text)
    return int(found[1]) * 3600.0 + int(found[2]) * 60 + int(found[3]) if found else None


def duration_from(text: str) -> float | None:
    """Return the seconds of a duration with units or in ISO 8601; None for anything else.

    A minus sign is allowed in front.
    """
    if (iso := _ISO_DURATION.fullmatch(text)) and text[-1] not in "PTpt":
        days, hours, minutes, seconds = (float(part or 0) for part in iso.groups())
        return days * 86400 + hours * 3600 + minutes * 60 + seconds
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    total, position = 0.0, 0
    while found := _PART.match(rest, position):
        total += float(found[1]) * UNITS[found[2].lower()]
        position = found.end()
    return sign * total if position and position == len(rest) else None


def date_from(text: str, zone: tzinfo = UTC, now: datetime | None = None) -> datetime | None:
    """Read ISO 8601, an HTTP date or a written time; None for anything else.

    Args:
        text: the whole text.
        zone: where it is meant without a zone of its own.
        now: what a time of day is the next occurrence from; None reads whole dates only.
    """
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    written = read_time(text, now=now, zone=zone) if now is not None else None
    if written is None or written.rest(text) or written.day_only:
        return None
    return written.moment


def after(start: datetime, seconds: float) -> datetime | None:
    """Return a moment some seconds from a start; None when no calendar reaches it."""
    try:
        return start + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None
