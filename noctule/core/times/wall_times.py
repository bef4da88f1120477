"""When a day and a time of the clock on the wall are, in a zone that may change its clocks."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from noctule.core.times.written_days import ClockTime, WrittenDay

MORNING = 8
"""The hour of a day that was named without one."""


def before(day: WrittenDay, moment: datetime, zone: tzinfo) -> datetime | None:
    """Return the occurrence before a moment; None where only one can be meant."""
    if day.weekday is not None:
        return days_before(7, moment, zone)
    if day.month is None or day.year is not None:
        return None
    local = moment.astimezone(zone)
    year = date_or_none(local.year - 1, local.month, local.day)
    return None if year is None else datetime.combine(year, local.time(), tzinfo=zone)


def days_before(days: int, moment: datetime, zone: tzinfo) -> datetime:
    """Return the same time of the clock on the wall some days earlier."""
    return (moment.astimezone(zone) - timedelta(days=days)).astimezone(UTC)


def on_day(
    day: WrittenDay, clock: ClockTime | None, now: datetime, zone: tzinfo, *, shift_days: int = 0
) -> tuple[datetime, ...]:
    """Return the next moment a day and a time of day name; nothing when all are over."""
    named = day.ahead is not None or day.weekday is not None
    at = clock or ClockTime(MORNING if named or day.month is None else 0)
    for candidate in _dates(day, now.astimezone(zone).date()):
        try:
            moment = wall(candidate + timedelta(days=shift_days), at, zone, after=now)
        except (OverflowError, ValueError):
            continue
        if moment > now:
            return (moment,)
    return ()


def _dates(day: WrittenDay, today: date) -> list[date]:
    """Give the dates a day may mean, soonest first."""
    if day.ahead is not None:
        return [today + timedelta(days=day.ahead)]
    if day.weekday is not None:
        ahead = (day.weekday - today.weekday()) % 7
        first = today + timedelta(days=ahead or 7 if day.skips_today else ahead)
        return [first, first + timedelta(days=7)]
    if day.month is None:
        months = [divmod(today.year * 12 + today.month - 1 + n, 12) for n in range(4)]
        found = [date_or_none(year, month + 1, day.day or 0) for year, month in months]
    else:
        years = range(today.year, today.year + 9) if day.year is None else [day.year]
        found = [date_or_none(year, day.month, day.day or 0) for year in years]
    return [candidate for candidate in found if candidate is not None]


def date_or_none(year: int, month: int, day: int) -> date | None:
    """Return a date; None for one that no calendar has."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def next_at(clock: ClockTime | None, now: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """Return the next occurrence of a time of day (None: of the morning)."""
    today = now.astimezone(zone).date()
    at = clock or ClockTime(MORNING)
    for days in (-1, 0, 1, 2):  # yesterday's 24:00 is today's; a clock change may leave a day out
        moment = wall(today + timedelta(days=days), at, zone, after=now)
        if moment > now:
            return (moment,)
    return ()


def wall(day: date, clock: ClockTime, zone: tzinfo, after: datetime | None = None) -> datetime:
    """Return a moment of the clock on the wall; of two of that name the first that is ahead."""
    if clock.hour == 24:  # noqa: PLR2004 - the end of the day
        day, clock = day + timedelta(days=1), ClockTime(0)
    local = datetime.combine(day, time(clock.hour, clock.minute, clock.second), tzinfo=zone)
    first = local.astimezone(UTC)
    if after is not None and first <= after:
        return local.replace(fold=1).astimezone(UTC)
    return first
