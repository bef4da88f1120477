"""When something is to begin, as an option names it: ``23:30``, ``9am``, ``tomorrow 9:00``."""

from datetime import datetime, tzinfo

from noctule.core.times.written_times import TimeReading, TimeTrouble, read_time


def parse_moment(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return the moment that a whole text names, in UTC.

    Args:
        text: any form that :func:`noctule.core.times.written_times.read_time` knows, and nothing
            else.
        now: the present moment, aware.
        zone: where times without a zone of their own are meant.

    Raises:
        ValueError: it is no time, may mean several, or lies in the past.
    """
    words = text.strip()
    reading = read_time(words, now=now, zone=zone, expected=True)
    if reading is None or reading.rest(words):
        raise ValueError(f"{text!r} names no time")
    if reading.moment is not None:
        return reading.moment
    raise ValueError(f"{text!r} {_complaint(reading, zone)}")


def _complaint(reading: TimeReading, zone: tzinfo) -> str:
    meant = " or ".join(
        moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") for moment in reading.candidates
    )
    if reading.trouble is TimeTrouble.AMBIGUOUS:
        return f"may mean {meant}" if len(reading.candidates) > 1 else "is not clear"
    if reading.trouble is TimeTrouble.PAST:
        return f"is in the past; the next one is {meant}" if meant else "is in the past"
    return "names no time"
