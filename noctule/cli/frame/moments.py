"""Moments as commands write them: for programs with offset, for people as short as is clear."""

from datetime import datetime, tzinfo
from typing import overload


@overload
def iso(moment: datetime, zone: tzinfo) -> str: ...
@overload
def iso(moment: None, zone: tzinfo) -> None: ...
@overload
def iso(moment: datetime | None, zone: tzinfo) -> str | None: ...


def iso(moment: datetime | None, zone: tzinfo) -> str | None:
    """Return a moment in ISO 8601 with the zone's offset; None stays None."""
    return None if moment is None else moment.astimezone(zone).isoformat()


def show(moment: datetime | None, zone: tzinfo, now: datetime) -> str:
    """Return a moment for people: the time alone when it is today, ``-`` for None."""
    if moment is None:
        return "-"
    there, today = moment.astimezone(zone), now.astimezone(zone).date()
    return there.strftime("%H:%M:%S" if there.date() == today else "%Y-%m-%d %H:%M")
