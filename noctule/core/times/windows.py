"""Windows of time in which something may be used up: rolling, from first use, or aligned."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_MIDNIGHT = time()
_TICK = timedelta.resolution


class WindowKind(StrEnum):
    """What moves a window on."""

    ROLLING = "rolling"
    FIRST_USE = "first_use"
    ALIGNED = "aligned"


class CalendarUnit(StrEnum):
    """A length that follows the calendar: 23 to 25 hours, seven such days, 28 to 31 of them."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_LONGEST = {
    CalendarUnit.DAY: _DAY,
    CalendarUnit.WEEK: timedelta(days=7),
    CalendarUnit.MONTH: timedelta(days=31),
}


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time that ends in a reset; all moments it returns are UTC.

    The same "5 hour window" turns at 00, 05, 10, 15, 20 on one host, at 05, 10, 15, 20 and then
    01 on another (LiteLLM's ``get_next_standardized_reset_time``, checked 2026-11), every five
    hours for ever on a third, and five hours after the first use on a fourth.

    Args:
        kind: what moves it on. ``rolling``: it always reaches ``length`` back from now.
            ``first_use``: it starts with the first use after the last one ended. ``aligned``: it
            turns at times fixed by ``anchor``.
        length: more than zero; a calendar unit counts as its longest form unless aligned.
        anchor: for ``aligned``. A time of day: windows are counted from that time every day
            (and follow the calendar for calendar units). A datetime: for a fixed length one
            moment at which a window started, from which they run on for ever; for a calendar
            unit it also gives the weekday or the day of the month (the month's last day where
            there is no such day). None means midnight, of Monday for weeks, of the 1st for
            months.
        timezone: the zone of the calendar and of an anchor without one.
        carry: for a fixed length and a time of day: True lets the day's last window run its full
            length into the next day (20 → 01 → 05), False cuts it at the anchor (20 → 00 → 05).

    Raises:
        ValueError: the length is not more than zero, the anchor is a time of day with a zone of
            its own, or a fixed length of more than a day is aligned without a datetime to
            count from.
    """

    kind: WindowKind
    length: timedelta | CalendarUnit
    anchor: time | datetime | None = None
    timezone: tzinfo = UTC
    carry: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.anchor, time) and self.anchor.tzinfo:
            raise ValueError(
                f"The anchor {self.anchor} carries a zone of its own; write the time alone and "
                "the zone as timezone."
            )
        if not isinstance(self.length, timedelta):
            return
        if self.length <= timedelta(0):
            raise ValueError(f"A window of {self.length} has no end; give it a length above zero.")
        counted_daily = not isinstance(self.anchor, datetime)
        if self.kind is WindowKind.ALIGNED and counted_daily and self.length > _DAY:
            raise ValueError(
                f"Windows of {self.length} do not start over every day; give the date and time at "
                "which one started as the anchor, or use week or month."
            )

    @classmethod
    def from_words(
        cls,
        kind: str,
        length: timedelta | str,
        *,
        anchor: str | None = None,
        timezone: str | None = None,
        carry: bool = False,
    ) -> "Window":
        """Build one from what stands in a configuration.

        Args:
            kind: ``rolling``, ``first_use`` or ``aligned``.
            length: a fixed length, or ``day``, ``week``, ``month``.
            anchor: a time of day (``01:00``) or an ISO 8601 date and time; None means midnight.
            timezone: an IANA name; None means UTC.
            carry: see the class.

        Raises:
            ValueError: a word is none of these, or they do not fit together.
        """
        try:
            zone: tzinfo = ZoneInfo(timezone) if timezone else UTC
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(
                f"{timezone!r} is no time zone known here; write one like Europe/Berlin."
            ) from error
        fixed = length if isinstance(length, timedelta) else CalendarUnit(length)
        return cls(WindowKind(kind), fixed, _read_anchor(anchor), zone, carry)

    def next_reset(self, now: datetime, first_use: datetime | None = None) -> datetime:
        """Return the end of the window that ``now`` is in; always after ``now``.

        Args:
            now: aware.
            first_use: aware; for ``first_use`` when the present window started, for ``rolling``
                the oldest use that still counts. None means that this is the first.
        """
        if self.kind is WindowKind.ALIGNED:
            return min(edge for edge in self._edges(now) if edge > now)
        return self._opened(now, first_use) + self._longest

    def start(self, now: datetime, first_use: datetime | None = None) -> datetime:
        """Return the start of the window that ``now`` is in; never after ``now``.

        Args:
            now: aware.
            first_use: as for ``next_reset``; a rolling window reaches back from ``now`` whatever
                it is.
        """
        if self.kind is WindowKind.ALIGNED:
            return max(edge for edge in self._edges(now) if edge <= now)
        if self.kind is WindowKind.ROLLING:
            return now.astimezone(UTC) - self._longest
        return self._opened(now, first_use)

    @property
    def _longest(self) -> timedelta:
        return self.length if isinstance(self.length, timedelta) else _LONGEST[self.length]

    def _opened(self, now: datetime, first_use: datetime | None) -> datetime:
        still_open = first_use is not None and first_use <= now < first_use + self._longest
        return (first_use if first_use is not None and still_open else now).astimezone(UTC)

    def _edges(self, now: datetime) -> Iterator[datetime]:
        """Give resets around ``now``: at least the last one up to it and the first after it."""
        if not isinstance(self.length, timedelta):
            return self._calendar_edges(now, self.length)
        if isinstance(self.anchor, datetime):
            return self._running_edges(now, self.anchor, self.length)
        return self._daily_edges(now, self.anchor or _MIDNIGHT, self.length)

    def _running_edges(
        self, now: datetime, anchor: datetime, length: timedelta
    ) -> Iterator[datetime]:
        origin = self._utc(anchor)
        last = origin + (now - origin) // length * length
        yield from (last, last + length)

    def _daily_edges(self, now: datetime, at: time, length: timedelta) -> Iterator[datetime]:
        today = now.astimezone(self.timezone).date()
        # Two days back: an anchor late in the day, carried on, turns after midnight.
        for day in (today - 2 * _DAY, today - _DAY, today, today + _DAY):
            # Elapsed time inside the day, so that windows keep their length when clocks change;
            # what an hour more or less does to the day falls to its last window.
            opens = self._utc(datetime.combine(day, at))
            closes = self._utc(datetime.combine(day + _DAY, at))
            yield opens + (-_DAY % length if self.carry else timedelta(0))
            most = (min(closes - opens, _DAY) - _TICK) // length
            for count in (most, (now - opens) // length, (now - opens) // length + 1):
                if 0 < count <= most:
                    yield opens + count * length

    def _calendar_edges(self, now: datetime, unit: CalendarUnit) -> Iterator[datetime]:
        today = now.astimezone(self.timezone).date()
        anchor = self.anchor
        if isinstance(anchor, datetime):
            anchor = self._utc(anchor).astimezone(self.timezone)
        at = anchor.time() if isinstance(anchor, datetime) else anchor or _MIDNIGHT
        for day in _calendar_days(today, unit, anchor if isinstance(anchor, datetime) else None):
            yield self._utc(datetime.combine(day, at))

    def _utc(self, moment: datetime) -> datetime:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=self.timezone)
        return aware.astimezone(UTC)


def _calendar_days(today: date, unit: CalendarUnit, anchor: datetime | None) -> Iterator[date]:
    """Give the days around ``today`` on which a calendar window turns, in order."""
    if unit is CalendarUnit.DAY:
        yield from (today + timedelta(days=n) for n in (-1, 0, 1))
    elif unit is CalendarUnit.WEEK:
        weekday = anchor.weekday() if anchor else 0
        last = today - timedelta(days=(today.weekday() - weekday) % 7)
        yield from (last + timedelta(days=n) for n in (-7, 0, 7))
    else:
        for shift in (-1, 0, 1):
            year, month = divmod(today.year * 12 + today.month - 1 + shift, 12)
            last_day = monthrange(year, month + 1)[1]
            yield date(year, month + 1, min(anchor.day if anchor else 1, last_day))


def _read_anchor(text: str | None) -> time | datetime | None:
    if text is None:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no anchor; write a time of day like 01:00 or a moment like "
            "2026-11-02T01:00+00:00."
        ) from error
