"""When something is to begin, as people write it: ``23:30``, ``+2h``, ``2026-12-01T08:00``."""

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

from noctule.core.durations import parse_duration

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


def parse_moment(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return the moment that a text names, in UTC.

    Args:
        text: a time of day (its next occurrence), a duration from now with or without a plus, or
            a date or date and time in ISO 8601.
        now: the present moment, aware.
        zone: where times without an offset are meant.

    Raises:
        ValueError: it is none of these, or lies in the past.
    """
    words = text.strip()
    if found := _TIME.fullmatch(words):
        return _next(time(int(found[1]), int(found[2]), int(found[3] or 0)), now, zone)
    moment = _from_now(words, now) or _from_iso(words, zone)
    if moment is None:
        raise ValueError(f"{text!r} names no time")
    if moment < now - timedelta(seconds=1):
        raise ValueError(f"{text!r} is in the past")
    return moment


def _next(at: time, now: datetime, zone: tzinfo) -> datetime:
    today = now.astimezone(zone)
    for days in (0, 1, 2):  # the second tomorrow: a clock change may leave a time out
        day = today.date() + timedelta(days=days)
        moment = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
        if moment > now:
            return moment
    raise ValueError(f"{at} does not come")


def _from_now(words: str, now: datetime) -> datetime | None:
    duration = words.removeprefix("+")
    if not duration or duration[-1].isdigit():  # 30 alone may mean anything
        return None
    try:
        return (now + parse_duration(duration)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _from_iso(words: str, zone: tzinfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(words)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
