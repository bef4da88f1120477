"""``until:`` when a plan, a trial or a grant ends."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator


def _as_until(value: Any) -> str | None:
    """Read a date or a moment; kept as text, since its zone may stand elsewhere."""
    if value is None:
        return None
    text = value.isoformat() if isinstance(value, date) else str(value).strip()
    try:
        _read(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no date; write one like 2026-12-31, or a moment like "
            "2026-12-31T18:00+01:00"
        ) from None
    return text


Until = Annotated[str | None, BeforeValidator(_as_until)]
"""A date (its whole day still counts) or a moment; without an offset in the configured zone."""


def moment_of(until: str, timezone: str | None) -> datetime:
    """Return from when on an end holds, in UTC.

    Args:
        until: a date or a moment that was read.
        timezone: the zone of one without an offset; None means the system's.
    """
    moment = _read(until)
    if moment.tzinfo is None and timezone is not None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return moment.astimezone(UTC)


def _read(text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)
    return datetime.combine(day + timedelta(days=1), time())
