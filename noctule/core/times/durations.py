"""Durations as people write them: ``30s``, ``5h``, ``1h30m``, ``250ms``."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")


def parse_duration(value: object) -> timedelta:
    """Read a duration.

    Args:
        value: text such as ``1h30m``, a number of seconds, or a timedelta.

    Raises:
        ValueError: it is none of these, or negative.
    """
    if isinstance(value, timedelta):
        return _not_negative(value, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _not_negative(_seconds(value, value), value)
    if isinstance(value, str):
        text = value.strip().lower()
        if text and not _PART.sub("", text).strip():
            return _seconds(sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text)), value)
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return _seconds(float(text), value)
    raise ValueError(f"{value!r} is no duration; write one like 30s, 5m, 5h or 1h30m")


def _seconds(seconds: float, value: object) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{value!r} is too long; write one like 30s, 5m, 5h or 1h30m") from error


def _not_negative(duration: timedelta, value: object) -> timedelta:
    if duration < timedelta(0):
        raise ValueError(f"{value!r} is negative; a duration is zero or more")
    return duration


def show_duration(seconds: float) -> str:
    """Write a length of time for people: ``3.1 s``, ``4 min``, ``2 h 05 min``, ``3 d 4 h``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004 - two digits
    minutes = round(seconds / 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:  # noqa: PLR2004 - two days
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def write_duration(duration: timedelta) -> str:
    """Write a duration so that :func:`parse_duration` reads the same: ``1h30m``, ``250ms``.

    Args:
        duration: zero or more; what is below a millisecond is written as its fraction.
    """
    rest = duration // timedelta(microseconds=1)
    text = ""
    for unit, microseconds in (("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)):
        count, rest = divmod(rest, microseconds)
        text += f"{count}{unit}" if count else ""
    if rest:
        text += f"{rest / 1000:g}ms"
    return text or "0s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
"""A pydantic field read by :func:`parse_duration`."""
