"""Days and clock times as they stand in a text, read piece by piece from its front."""

import re
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

from noctule.core.times.time_words import (
    AMBIGUOUS_ZONES,
    DAYS_AHEAD,
    MONTHS,
    NAMED_HOURS,
    NUMBERS,
    PARTS_OF_DAY,
    WEEKDAYS,
    ZONES,
    any_of,
    fixed_zone,
    zone_named,
)

_FLAGS = re.IGNORECASE
_END = r"(?![\w'’])"  # noqa: RUF001 - phones write this apostrophe
_ORDINAL = r"(?:st|nd|rd|th)"
_MONTH = rf"(?P<month>{any_of(MONTHS)})\.?(?![a-z])"
_DAYS = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?!\d)"),
    re.compile(r"(?P<y>\d{4})[/.](?P<m>\d{1,2})[/.](?P<d>\d{1,2})(?!\d)"),
    re.compile(r"(?:(?P<y>\d{4})年)?(?P<m>\d{1,2})月(?P<d>\d{1,2})日"),
    re.compile(r"(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.(?P<y>\d{4})?(?!\d)"),
    re.compile(
        rf"{_MONTH}\s*(?:the\s+)?(?P<d>\d{{1,2}}){_ORDINAL}?(?![\w:])(?:,?\s+(?P<y>\d{{4}})(?![\d:]))?",
        _FLAGS,
    ),
    re.compile(
        rf"(?:the\s+)?(?P<d>\d{{1,2}})(?:{_ORDINAL}|\.)?\s+(?:of\s+)?{_MONTH}"
        r"(?:,?\s+(?P<y>\d{4})(?![\d:]))?",
        _FLAGS,
    ),
)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?(?![\d/])")
_DAY_OF_MONTH = re.compile(rf"(?:the\s+)?(\d{{1,2}}){_ORDINAL}{_END}", _FLAGS)
_AHEAD = re.compile(rf"({any_of(DAYS_AHEAD)})(?![a-z'’])", _FLAGS)  # noqa: RUF001 - as above
_WEEKDAY = re.compile(rf"(?:(this|next|coming)\s+)?({any_of(WEEKDAYS)})\.?{_END}", _FLAGS)
_PART_OF_DAY = re.compile(
    rf"(?:(tonight)|(?:(?P<this>this|heute)\s+|(?P<the>in\s+the\s+)|at\s+|am\s+)?(?P<part>{any_of(PARTS_OF_DAY)})){_END}",
    _FLAGS,
)
_HALF = r"(?P<half>a\.?m\b\.?|p\.?m\b\.?)"
_CLOCKS = (
    re.compile(
        r"(?P<h>\d{1,2})[:：](?P<min>\d{2})(?::(?P<s>\d{2})(?:\.\d{1,9})?)?"  # noqa: RUF001 - the full-width colon
        rf"(?:\s*{_HALF})?(?:\s*(?:uhr|o'?clock)\b)?(?=Z\b|[^\w:]|$)",
        _FLAGS,
    ),
    re.compile(rf"(?P<h>\d{{1,2}})(?:\.(?P<min>\d{{2}}))?\s*{_HALF}(?!\w)", _FLAGS),
    re.compile(r"(?P<h>\d{1,2})(?:\.(?P<min>\d{2}))?\s*(?:uhr|o'?clock)\b", _FLAGS),
    re.compile(r"(?P<h>\d{1,2})[点时](?:(?P<min>\d{1,2})分?)?"),
)
_LEANING_CLOCKS = (
    re.compile(r"(?P<h>\d{1,2})\.(?P<min>[0-5]\d)(?![\w.])"),
    re.compile(r"(?P<h>0\d)(?P<min>[0-5]\d)(?!\w)"),
)
"""Forms that are a clock time only where something else says that one comes."""
_MEASURES = r"percent|per|x|k?m|cm|mm|kg|[kmgt]i?b|k?bytes?|[mg]?hz|degrees|euros?|dollars|usd|eur"
_BARE_HOUR = re.compile(rf"(?P<h>\d{{1,2}})(?![\w/%°$€-]|[:.,]\d|\s+(?:{_MEASURES})\b)", _FLAGS)
_NAMED_HOUR = re.compile(rf"({any_of(NAMED_HOURS)}){_END}", _FLAGS)
_PAST = re.compile(
    rf"(half|quarter|\d{{1,2}}|five|ten|twenty)\s+(past|to)\s+(\d{{1,2}}|{any_of(NUMBERS)})"
    rf"(?:\s*{_HALF})?(?!\w)",
    _FLAGS,
)
_PAST_MINUTES = {"half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20}
_IANA = re.compile(r"\(?([A-Z][A-Za-z]+(?:/[A-Z][\w+\-]*){1,2})\)?")
_AREAS = frozenset(
    {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Etc", "Europe", "Pacific"}
)
_OFFSET = re.compile(
    r"\(?(?:(?:UTC|GMT)\s?([+-])(\d{1,2})(?::?(\d{2}))?|([+-])(\d{2}):?(\d{2}))(?!\d)\)?"
)
_ABBREVIATION = re.compile(
    rf"\(?({any_of([*ZONES, *AMBIGUOUS_ZONES])})(?![A-Za-z])(?!\s?[+-]\d)\)?"
)
_MOST_HOUR = 24
_BLANKS = " \t\u00a0\u202f\u3000"
_HALF_DAY = 12


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A time of day as written.

    Args:
        hour: 0 to 24 (24 is the end of the day).
        minute: 0 to 59.
        second: 0 to 59.
        bare: True when it was a number alone, so that 9 may be the evening's.
        wrong: True when no clock shows it (25:00, 13pm).
    """

    hour: int
    minute: int = 0
    second: int = 0
    bare: bool = False
    wrong: bool = False

    def in_evening(self) -> "ClockTime":
        """Return it twelve hours later where it is a morning's hour."""
        return ClockTime(self.hour + _HALF_DAY, self.minute, self.second)


@dataclass(frozen=True, slots=True)
class WrittenDay:
    """A day as written; each way of naming one fills its own field.

    Args:
        ahead: days from today.
        weekday: 0 is Monday; the next one.
        skips_today: True for "next monday": today does not count.
        year: None means the next time that date comes.
        month: 1 to 12; None together with ``day`` means the next such day of a month.
        day: 1 to 31.
        part: the hour at which a named part of the day begins; None when none is named.
        swapped: True when day and month may change places (3/4).
        wrong: True when no calendar has it.
        weak: True when the words alone, in front of others, may be part of a sentence.
        abbreviated: True for "sun" and "wed", which begin sentences by themselves.
    """

    ahead: int | None = None
    weekday: int | None = None
    skips_today: bool = False
    year: int | None = None
    month: int | None = None
    day: int | None = None
    part: int | None = None
    swapped: bool = False
    wrong: bool = False
    weak: bool = False
    abbreviated: bool = False


class Scanner:
    """A text and how far it has been read.

    Args:
        text: what is read; only its front matters.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read past a pattern that stands here, after blanks; None leaves everything as it is."""
        start = self.position
        while start < len(self.text) and self.text[start] in _BLANKS:
            start += 1
        found = pattern.match(self.text, start)
        if found is not None:
            self.position = found.end()
        return found

    @property
    def rest(self) -> str:
        """What has not been read."""
        return self.text[self.position :]


def take_day(scanner: Scanner) -> WrittenDay | None:
    """Read a day; None when none stands here."""
    for pattern in _DAYS:
        if found := scanner.take(pattern):
            return _dated(found)
    if found := scanner.take(_SLASHED):
        return _slashed(found)
    if found := scanner.take(_AHEAD):
        return WrittenDay(ahead=DAYS_AHEAD[found[1].lower()])
    if found := scanner.take(_WEEKDAY):
        name = found[2].lower()
        return WrittenDay(
            weekday=WEEKDAYS[name],
            skips_today=(found[1] or "").lower() == "next",
            weak=found[1] is None,
            abbreviated=len(name) < 6,  # noqa: PLR2004 - monday and friday are the shortest
        )
    if found := scanner.take(_DAY_OF_MONTH):
        return WrittenDay(day=int(found[1]), wrong=not 1 <= int(found[1]) <= 31, weak=True)  # noqa: PLR2004 - days of a month
    return None


def take_part_of_day(scanner: Scanner, *, alone: bool) -> WrittenDay | None:
    """Read "tonight", "this evening", "in the morning"; None when none stands here.

    Args:
        scanner: the text.
        alone: True when no day or time stood before it: "morning" alone is a greeting.
    """
    start = scanner.position
    found = scanner.take(_PART_OF_DAY)
    if found is None:
        return None
    if found[1]:
        return WrittenDay(ahead=0, part=PARTS_OF_DAY["night"])
    part = PARTS_OF_DAY[found["part"].lower()]
    if found["this"]:
        return WrittenDay(ahead=0, part=part)
    if alone and not found["the"]:
        scanner.position = start
        return None
    return WrittenDay(part=part, weak=alone)


def take_clock(scanner: Scanner, *, expected: bool, bare: bool) -> ClockTime | None:
    """Read a time of day; None when none stands here.

    Args:
        scanner: the text.
        expected: True after "at" or a day, where 9.30 and 0930 are times too.
        bare: True where a number alone is an hour.
    """
    if found := scanner.take(_PAST):
        return _past(found)
    if found := scanner.take(_NAMED_HOUR):
        return ClockTime(NAMED_HOURS[found[1].lower()])
    for pattern in _CLOCKS + (_LEANING_CLOCKS if expected else ()):
        if found := scanner.take(pattern):
            return _clock(found)
    if bare and (found := scanner.take(_BARE_HOUR)):
        hour = int(found["h"])
        if hour > _MOST_HOUR and scanner.rest.strip():  # "at 30 places"
            scanner.position = found.start()
            return None
        return ClockTime(hour, bare=hour <= _HALF_DAY, wrong=hour > _MOST_HOUR)
    return None


def take_zone(scanner: Scanner) -> tzinfo | str | None:
    """Read a zone; None when none stands here, its name when it is none that is known."""
    if found := scanner.take(_OFFSET):
        sign, hours, minutes = found.groups()[:3] if found[1] else found.groups()[3:]
        return fixed_zone(sign, hours, minutes) or found[0].strip()
    if found := scanner.take(_ABBREVIATION):
        return found[1] if found[1] in AMBIGUOUS_ZONES else zone_named(found[1])
    start = scanner.position
    if found := scanner.take(_IANA):
        zone = zone_named(found[1])
        if zone is not None or found[1].split("/")[0] in _AREAS:
            return zone or found[1]
        scanner.position = start
    return None


def _dated(found: re.Match[str]) -> WrittenDay:
    groups = found.groupdict()
    named = groups.get("month")
    month = MONTHS[named.lower()] if named else int(groups["m"])
    year = int(groups["y"]) if groups.get("y") else None
    day = int(groups["d"])
    weak = named is None or year is None
    return WrittenDay(
        year=year, month=month, day=day, wrong=not _exists(year, month, day), weak=weak
    )


def _slashed(found: re.Match[str]) -> WrittenDay:
    first, second = int(found[1]), int(found[2])
    year = None if found[3] is None else int(found[3]) + (2000 if len(found[3]) == 2 else 0)  # noqa: PLR2004 - 26 for 2026
    day, month = (first, second) if first > _HALF_DAY else (second, first)
    swapped = first <= _HALF_DAY and second <= _HALF_DAY and first != second
    return WrittenDay(
        year=year, month=month, day=day, swapped=swapped, wrong=not _exists(year, month, day)
    )


def _exists(year: int | None, month: int, day: int) -> bool:
    try:
        date(year or 2024, month, day)  # a leap year has every date there is
    except ValueError:
        return False
    return True


def _clock(found: re.Match[str]) -> ClockTime:
    groups = found.groupdict()
    hour, minute = int(groups["h"]), int(groups.get("min") or 0)
    second = int(groups.get("s") or 0)
    return _halved(hour, minute, second, groups.get("half"))


def _halved(hour: int, minute: int, second: int, half: str | None) -> ClockTime:
    wrong = hour > _MOST_HOUR or minute > 59 or second > 59 or (hour == _MOST_HOUR and minute > 0)  # noqa: PLR2004 - clocks
    if half is not None:
        wrong = wrong or not 1 <= hour <= _HALF_DAY
        hour = hour % _HALF_DAY + (_HALF_DAY if half[:1].lower() == "p" else 0)
    return ClockTime(hour, minute, second, wrong=wrong)


def _past(found: re.Match[str]) -> ClockTime:
    minutes = _PAST_MINUTES.get(found[1].lower()) or int(found[1])
    hour = int(found[3]) if found[3].isdecimal() else round(NUMBERS[found[3].lower()])
    whole = timedelta(hours=hour, minutes=minutes if found[2].lower() == "past" else -minutes)
    total = int(whole.total_seconds()) // 60 % (24 * 60)
    clock = _halved(total // 60, total % 60, 0, found["half"])
    return ClockTime(
        clock.hour,
        clock.minute,
        bare=found["half"] is None and hour <= _HALF_DAY,
        wrong=clock.wrong or hour > _MOST_HOUR or minutes > 59,  # noqa: PLR2004 - minutes of an hour
    )
