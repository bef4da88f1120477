"""One reader of times as people and providers write them: ``at 9am``, ``tomorrow 9:00``, ``in 2h``.

A grammar of our own and no library: dateparser reads "at 9" as the 9th of a month, "monday 8:00" as
last Monday and "may the tests pass" as a date (1.5, checked 2026-11), because it guesses where this
reader has to ask.
"""

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

from noctule.core.times.time_words import (
    DAYS_AHEAD,
    MONTH_UNITS,
    NUMBERS,
    UNITS,
    WEEKDAYS,
    any_of,
)
from noctule.core.times.wall_times import (
    MORNING,
    before,
    date_or_none,
    days_before,
    next_at,
    on_day,
    wall,
)
from noctule.core.times.written_days import (
    ClockTime,
    Scanner,
    WrittenDay,
    take_clock,
    take_day,
    take_part_of_day,
    take_zone,
)

_FLAGS = re.IGNORECASE
_READ = 200
_LEAD = re.compile(r"(at|on|um|am|ab|from|@|~)(?:\s+|(?<=[@~]))(?:about\s+|around\s+)?", _FLAGS)
_BETWEEN = re.compile(r"(?:,|T(?=\d)|@|\b(?:at|on|um|am|the|der)\b)", _FLAGS)
_AFTER = re.compile(r"(?:in|after)\s+(?:about\s+|approximately\s+|around\s+)?|[+]", _FLAGS)
_AMOUNT = (
    rf"(?:\d{{1,9}}(?:[.,]\d{{1,9}})?|(?:{any_of(NUMBERS)})(?=\s))"
    r"(?:\s+and\s+a\s+half(?=\s))?"
)
_UNIT = rf"(?:{any_of([*UNITS, *MONTH_UNITS])})(?![a-zµäöü])"
_PART = re.compile(rf"({_AMOUNT})\s*({_UNIT})", _FLAGS)
_JOINT = re.compile(rf"(?:,|\band\b|\bund\b)?\s*(?={_AMOUNT}\s*{_UNIT})", _FLAGS)
_AND_A_HALF = re.compile(r"and\s+a\s+half\b", _FLAGS)
_HOUR_OF_DAY = re.compile(r"([01]?\d|2[0-4])\s?h", _FLAGS)
_FROM_NOW = re.compile(r"(?:from now|hence)\b", _FLAGS)
_HOURS_AND_MINUTES = re.compile(r"(\d{1,3})\s*h\s*([0-5]\d)(?!\w)", _FLAGS)
_ENDS = re.compile(r"(?=$|[\s,;:.!?)\]}\"'·—–-])")  # noqa: RUF001 - the dashes people write
_PLURAL = re.compile(r"\s{1,3}[a-z]+[^\Ws]s\b", _FLAGS)
_SEPARATORS = re.compile(r"\s*(?:[,;:.—–-]+(?=\s|$))?\s*")  # noqa: RUF001 - as above
_LIKE_A_TIME = re.compile(
    r"\d{1,2}[:.h]\d{0,2}\w{0,3}(?!\S)|\d{1,2}\s?[ap]\.?m?\w?(?!\S)|\d{1,4}[a-z]{1,7}(?!\S)|\d{1,4}$",
    _FLAGS,
)
_LIKE_A_MOMENT = re.compile(r"\d{1,2}:\d{2}\w?(?!\S)|\d{4}-\d{1,2}-\d{1,2}\S*|[+-]\s?\d+\w*(?!\S)")
_LIKE_A_WAIT = re.compile(rf"{_AMOUNT}\s*([a-z]{{3,9}})?(?!\S)", _FLAGS)
_WORD = re.compile(r"([a-zöü]{5,10})\s+(?=at\b|\d{1,2}(?::\d\d|\s?[ap]m)?\b|$)", _FLAGS)
_SPELT = sorted(name for name in {*DAYS_AHEAD, *WEEKDAYS, "tonight"} if len(name) > 5)  # noqa: PLR2004 - short names are like too much
_LONG_UNITS = sorted(name for name in UNITS if len(name) > 3)  # noqa: PLR2004 - likewise
_HALF_DAY = 12
_SMALL_HOURS = 5
_HALF_A_DAY = timedelta(hours=12)


class TimeTrouble(StrEnum):
    """Why words that look like a time give none to act on."""

    NOT_UNDERSTOOD = "not_understood"
    """Like a time, and no clock or calendar has it: 25:00, 9:3, "tomorow"."""

    AMBIGUOUS = "ambiguous"
    """It may mean several moments, or be no time at all: 3/4, "today at 9" in the afternoon."""

    PAST = "past"
    """A moment that is over."""


@dataclass(frozen=True, slots=True)
class TimeReading:
    """A time at the front of a text.

    Args:
        moment: aware, in UTC; None exactly when there is trouble.
        consumed: how many characters of the text the time takes, blanks in front included.
        words: those characters without the blanks around them.
        trouble: why nothing is to be done before somebody was asked; None when all is clear.
        candidates: what it may have meant, soonest first, all ahead; empty when nothing comes to
            mind.
        day_only: True when a date without a time of day was written, which counts as its start.
        earlier: the occurrence before ``moment`` where a time of day, a weekday or a date without
            a year was written; None where only one moment can be meant.
    """

    moment: datetime | None
    consumed: int
    words: str
    trouble: TimeTrouble | None = None
    candidates: tuple[datetime, ...] = ()
    day_only: bool = False
    earlier: datetime | None = None

    def rest(self, text: str) -> str:
        """Return what follows the time in the text it was read from, without a comma or colon."""
        found = _SEPARATORS.match(text, self.consumed)
        return text[found.end() if found else self.consumed :]


@dataclass(frozen=True, slots=True)
class _Found:
    moments: tuple[datetime, ...] = ()
    trouble: TimeTrouble | None = None
    day_only: bool = False
    earlier: datetime | None = None


def read_time(
    text: str, *, now: datetime, zone: tzinfo, expected: bool = False
) -> TimeReading | None:
    """Read the time at the front of a text; None when no time stands there.

    Understood: a time of day (its next occurrence; ``9`` alone after "at" or a day), a day with or
    without one, a duration after "in" or ``+``, ISO 8601, a zone behind any of them. A named day
    without a time means its morning (08:00), a date its first moment, "tonight" 22:00. A time that
    a clock change leaves out comes as much later, one that comes twice is the next of the two.

    Args:
        text: what somebody wrote; what follows the time is left alone.
        now: the present moment, aware.
        zone: where times without a zone of their own are meant.
        expected: True where nothing but a time can stand, as after ``--at``: ``9`` is one then.
    """
    scanner = Scanner(text[:_READ])
    lead = scanner.take(_LEAD)
    start = scanner.position
    led = expected or lead is not None
    found = _duration(scanner, now, zone, led=led, lead=lead is not None)
    if found is None:
        scanner.position = start
        found = _moment(scanner, now, zone, lead=led)
    if found is not None and not _ENDS.match(scanner.text, scanner.position):
        found = _Found(trouble=TimeTrouble.NOT_UNDERSTOOD) if led else None
    if found is None:
        scanner.position = start
        found = _near_miss(scanner, led=led)
    return None if found is None else _reading(text, scanner, found)


def _reading(text: str, scanner: Scanner, found: _Found) -> TimeReading:
    consumed = scanner.position
    moments = tuple(sorted({moment.astimezone(UTC) for moment in found.moments}))
    clear = found.trouble is None
    return TimeReading(
        moment=moments[0] if clear else None,
        consumed=consumed,
        words=text[:consumed].strip(),
        trouble=found.trouble,
        candidates=() if clear else moments,
        day_only=found.day_only,
        earlier=found.earlier.astimezone(UTC) if found.earlier and clear else None,
    )


def _duration(
    scanner: Scanner, now: datetime, zone: tzinfo, *, led: bool, lead: bool
) -> _Found | None:
    start = scanner.position
    after = scanner.take(_AFTER) is not None
    if both := scanner.take(_HOURS_AND_MINUTES):
        return _hours_and_minutes(int(both[1]), int(both[2]), now, zone, after=after, led=led)
    seconds, months, parts = 0.0, 0, 0
    while part := scanner.take(_PART):
        amount, unit = _amount(part[1]), part[2].lower()
        amount += 0.5 if unit not in MONTH_UNITS and scanner.take(_AND_A_HALF) else 0
        months += round(amount) if unit in MONTH_UNITS else 0
        seconds += 0.0 if unit in MONTH_UNITS else amount * UNITS[unit]
        parts += 1
        scanner.take(_JOINT)
    compact = not re.search(r"\s", scanner.text[start : scanner.position].strip())
    alone = not after and scanner.take(_FROM_NOW) is None
    if not parts or (alone and not led and not (compact and not scanner.rest.strip())):
        return None
    moments = _later(now, zone, seconds, months)
    if not moments:
        return _Found(trouble=TimeTrouble.NOT_UNDERSTOOD)
    written = scanner.text[start : scanner.position].strip()
    if alone and lead and (hour := _HOUR_OF_DAY.fullmatch(written)):  # "at 21h", as in France
        return _Found(
            (*next_at(ClockTime(int(hour[1])), now, zone), *moments), TimeTrouble.AMBIGUOUS
        )
    if alone and not compact:  # "at 2 hours": neither a time of day nor "in 2 hours"
        return _Found(moments, TimeTrouble.AMBIGUOUS)
    return _at_a_time_of_that_day(scanner, moments[0], now, zone) or _Found(moments)


def _hours_and_minutes(
    hours: int, minutes: int, now: datetime, zone: tzinfo, *, after: bool, led: bool
) -> _Found | None:
    """Read 2h30, which the French write for a time of day too."""
    moments = _later(now, zone, hours * 3600.0 + minutes * 60.0, 0)
    if after:
        return _Found(moments)
    if not led:
        return None
    if hours < 24:  # noqa: PLR2004 - hours of a day
        moments += next_at(ClockTime(hours, minutes), now, zone)
    return _Found(moments, TimeTrouble.AMBIGUOUS)


def _amount(text: str) -> float:
    text, half, _ = text.partition(" and")
    return 0.5 * bool(half) + _number(text.strip())


def _number(text: str) -> float:
    return NUMBERS.get(text.lower()) or float(text.replace(",", ".") if text[0].isdigit() else 0)


def _later(now: datetime, zone: tzinfo, seconds: float, months: int) -> tuple[datetime, ...]:
    try:
        if months:
            local = now.astimezone(zone)
            year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
            day = next(d for d in range(local.day, 0, -1) if date_or_none(year, month + 1, d))
            now = datetime.combine(date(year, month + 1, day), local.time(), tzinfo=zone)
        return ((now.astimezone(UTC) + timedelta(seconds=seconds)),)
    except (OverflowError, ValueError, StopIteration):
        return ()


def _at_a_time_of_that_day(
    scanner: Scanner, moment: datetime, now: datetime, zone: tzinfo
) -> _Found | None:
    """Read the "at 9" of "in 3 days at 9"."""
    start = scanner.position
    if scanner.take(_BETWEEN) and (clock := take_clock(scanner, expected=True, bare=True)):
        if clock.wrong:
            return _Found(trouble=TimeTrouble.NOT_UNDERSTOOD)
        found = wall(moment.astimezone(zone).date(), clock, zone)
        return _Found((found,)) if found > now else _Found(trouble=TimeTrouble.PAST)
    scanner.position = start
    return None


def _moment(scanner: Scanner, now: datetime, zone: tzinfo, *, lead: bool) -> _Found | None:
    day: WrittenDay | None = None
    part: WrittenDay | None = None
    clock: ClockTime | None = None
    own_zone: tzinfo | str | None = None
    while True:
        start = scanner.position
        joint = (day or part or clock) is not None and scanner.take(_BETWEEN) is not None
        if part is None and (
            part := take_part_of_day(scanner, alone=not (day or clock or lead or joint))
        ):
            continue
        if day is None and (day := take_day(scanner)):
            continue
        if day is not None and day.weekday is not None and (dated := take_day(scanner)):
            day = dated  # "Monday, November 23"
            continue
        expected = lead or joint or day is not None or part is not None
        if clock is None and (clock := take_clock(scanner, expected=expected, bare=expected)):
            own_zone = take_zone(scanner)
            continue
        scanner.position = start
        break
    if day is None and part is None and clock is None:
        return None
    own_zone = own_zone or take_zone(scanner)
    if isinstance(own_zone, str) or any(piece and piece.wrong for piece in (day, clock)):
        return _Found(trouble=TimeTrouble.NOT_UNDERSTOOD)
    return _judge(scanner, day, part, clock, now, own_zone or zone, lead=lead)


def _judge(  # noqa: PLR0911 - the pieces of one phrase, and each way it can be unclear
    scanner: Scanner,
    day: WrittenDay | None,
    part: WrittenDay | None,
    clock: ClockTime | None,
    now: datetime,
    zone: tzinfo,
    *,
    lead: bool,
) -> _Found | None:
    more = bool(scanner.rest.strip())
    bare = clock is not None and clock.bare
    if day is None and part is None and bare and _PLURAL.match(scanner.rest):
        return _Found(next_at(clock, now, zone), TimeTrouble.AMBIGUOUS)  # "at 3 places": or no time
    if clock is None and day is None and part is not None and part.weak and more and not lead:
        return _Found(next_at(ClockTime(part.part or 0), now, zone), TimeTrouble.AMBIGUOUS)
    if clock is None and part is None and day is not None:
        if (day.ahead == 0 or day.abbreviated) and more and not lead:
            return None  # "today ..." means now; "sun ..." shines
        if day.weak and more and not lead:
            return _Found(on_day(day, None, now, zone), TimeTrouble.AMBIGUOUS, day_only=True)
    if day is not None and day.swapped:
        other = WrittenDay(year=day.year, month=day.day, day=day.month)
        both = (*on_day(day, clock, now, zone), *on_day(other, clock, now, zone))
        return _Found(both, TimeTrouble.AMBIGUOUS)
    clock, shift = _in_part_of_day(part, clock)
    if day is None and part is not None and part.ahead is not None:
        day = WrittenDay(ahead=part.ahead)
    if day is None:
        moments = next_at(clock or ClockTime(MORNING), now, zone)
        return _Found(moments, earlier=days_before(1, moments[0], zone) if moments else None)
    moments = on_day(day, clock, now, zone, shift_days=shift)
    if not moments:
        return _past(day, clock, now, zone)
    return _Found(moments[:1], day_only=clock is None, earlier=before(day, moments[0], zone))


def _past(day: WrittenDay, clock: ClockTime | None, now: datetime, zone: tzinfo) -> _Found:
    """Say of a day's time that it is over, and what else it may have meant."""
    if day.ahead is None:
        return _Found(trouble=TimeTrouble.PAST)
    tomorrow = on_day(WrittenDay(ahead=day.ahead + 1), clock, now, zone)
    if clock is not None and clock.bare and clock.hour < _HALF_DAY:
        evening = on_day(day, clock.in_evening(), now, zone)
        if evening:
            return _Found((*evening, *tomorrow), TimeTrouble.AMBIGUOUS)
    return _Found(tomorrow, TimeTrouble.PAST)


def _in_part_of_day(
    part: WrittenDay | None, clock: ClockTime | None
) -> tuple[ClockTime | None, int]:
    """Return the clock time that "9 in the evening" means, and the days it falls later."""
    if part is None or part.part is None:
        return clock, 0
    if clock is None:
        return ClockTime(part.part), 0
    night = part.part == 22  # noqa: PLR2004 - PARTS_OF_DAY
    if night and (clock.hour % _HALF_DAY < _SMALL_HOURS + 1 and clock.hour in {*range(6), 12}):
        return ClockTime(clock.hour % _HALF_DAY, clock.minute, clock.second), 1
    if part.part >= _HALF_DAY and 0 < clock.hour < _HALF_DAY:
        return clock.in_evening(), 0
    return clock, 0


def _near_miss(scanner: Scanner, *, led: bool) -> _Found | None:
    """Recognise what was meant as a time and is none, so that it is asked about and not run."""
    unclear = _Found(trouble=TimeTrouble.NOT_UNDERSTOOD)
    start = scanner.position
    if scanner.take(_LIKE_A_MOMENT) or (led and scanner.take(_LIKE_A_TIME)):
        return unclear
    if scanner.take(_AFTER):
        like = scanner.take(_LIKE_A_WAIT)
        unit = like[1] if like else None
        if like and (
            not scanner.rest.strip() if unit is None else _close(unit.lower(), _LONG_UNITS)
        ):
            return unclear
        scanner.position = start
    word = scanner.take(_WORD)
    if word and _close(word[1].lower(), _SPELT):
        return unclear
    scanner.position = start
    return None


def _close(word: str, known: list[str]) -> bool:
    return bool(difflib.get_close_matches(word, known, n=1, cutoff=0.8))
