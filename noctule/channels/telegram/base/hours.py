"""Hours: moments and waits as a phone shows them, in the zone of its person."""

from datetime import datetime, timedelta, tzinfo

_HOUR = 3600.0
_MINUTE = 60.0


def hour(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """Return a moment as short as is clear: ``18:00``, ``tomorrow 07:00``, ``Tue 24 Nov 07:00``."""
    there = moment.astimezone(zone)
    today = now.astimezone(zone).date()
    clock = there.strftime("%H:%M")
    match there.date() - today:
        case timedelta(days=0):
            return clock
        case timedelta(days=1):
            return f"tomorrow {clock}"
        case timedelta(days=-1):
            return f"yesterday {clock}"
        case _:
            return f"{there:%a} {there.day} {there:%b} {clock}"


def left(seconds: float) -> str:
    """Return how long something still takes, coarsely, so that it is rarely another text.

    ``in about 5 h``, ``in about 40 min``, ``in about 4 min``, ``any moment``.
    """
    if seconds < _MINUTE:
        return "any moment"
    if seconds < 10 * _MINUTE:
        return f"in about {round(seconds / _MINUTE)} min"
    if seconds < 1.5 * _HOUR:
        return f"in about {max(10, round(seconds / _MINUTE / 10) * 10)} min"
    if seconds < 48 * _HOUR:
        return f"in about {round(seconds / _HOUR)} h"
    return f"in about {round(seconds / _HOUR / 24)} days"
