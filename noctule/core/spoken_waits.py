"""Waits that a provider tells in a sentence instead of a header."""

import re
from collections.abc import Iterator
from datetime import datetime

from noctule.core.moments import after, date_from

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_NAMES = "ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?"
_UNIT = rf"(?:{_NAMES})(?![a-z])"
_PART = re.compile(rf"(\d{{1,12}}(?:\.\d{{1,12}})?)\s*({_UNIT})", re.IGNORECASE)
_COMING_BACK = r"(?:try again|retry(?:ing)?|wait|come back|available(?: again)?|resets?|renews?)"
_LATER = re.compile(
    rf"{_COMING_BACK}(?:\s+(?:in|after|for))?\s+(?:about\s+|approximately\s+)?"
    rf"((?:\d{{1,12}}(?:\.\d{{1,12}})?\s*{_UNIT}(?:,?\s*(?:and\s+)?))+)",
    re.IGNORECASE,
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_CLOCK = r"(?:(?:T|,?\s+(?:at\s+)?)(?P<clock>\d{1,2}:\d{2}(?::\d{2})?)(?:\.\d+)?)?"
_ZONE = r"(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})\b)?"
_ON = re.compile(
    rf"(?:regain access|{_COMING_BACK}|until)\s+(?:on\s+|at\s+|after\s+|until\s+)?"
    rf"(?:(?P<iso>\d{{4}}-\d{{2}}-\d{{2}})|(?P<month>[A-Z][a-z]{{2,8}})\.?\s+(?P<day>\d{{1,2}})"
    rf"(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})){_CLOCK}{_ZONE}",
    re.IGNORECASE,
)


def spoken_waits(words: str, now: datetime) -> Iterator[tuple[str, datetime | None]]:
    """Give each phrase that names a time, with the moment it means; None when no date comes of it.

    Durations ("try again in 5.289s", "retry in 10h17m5s") come before dates ("regain access on
    2026-12-01 at 00:00 UTC"). A date without a zone counts as UTC.

    Args:
        words: the provider's message.
        now: what durations count from, aware.
    """
    for match in _LATER.finditer(words):
        seconds = sum(
            float(number) * _UNITS[_short(unit.lower())] for number, unit in _PART.findall(match[1])
        )
        yield match[0].strip()[:60], after(now, seconds)
    for match in _ON.finditer(words):
        yield match[0].strip()[:60], _date_in(match)


def _short(unit: str) -> str:
    return "ms" if unit.startswith(("ms", "mil")) else unit[0]


def _date_in(match: re.Match[str]) -> datetime | None:
    day = match["iso"]
    if day is None:
        month = match["month"][:3].lower()
        if month not in _MONTHS:
            return None
        day = f"{match['year']}-{_MONTHS.index(month) + 1:02d}-{int(match['day']):02d}"
    clock = (match["clock"] or "00:00").zfill(5)
    zone = (match["zone"] or "Z").upper().replace("UTC", "Z").replace("GMT", "Z")
    return date_from(f"{day}T{clock}{zone}")
