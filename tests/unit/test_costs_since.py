from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from noctule.cli.commands.costs import since_moment
from noctule.core.errors import UsageError
from tests.support.stored_records import NOON

BERLIN = ZoneInfo("Europe/Berlin")


def records_at(now):
    return SimpleNamespace(clock=SimpleNamespace(now=lambda: now), zone=BERLIN)


def test_a_period_begins_where_a_person_would_say_it_does():
    """Days, weeks and months begin at midnight in the person's zone; durations count back."""
    at = records_at(datetime(2026, 11, 25, 23, 30, tzinfo=UTC))  # Thursday, half past midnight
    began = {
        words: since_moment(words, at).astimezone(BERLIN).isoformat()
        for words in ("today", "week", "month", "2h", "2026-11-20", "2026-11-20T08:00+00:00")
    }
    assert began == {
        "today": "2026-11-26T00:00:00+01:00",
        "week": "2026-11-23T00:00:00+01:00",
        "month": "2026-11-01T00:00:00+01:00",
        "2h": "2026-11-25T22:30:00+01:00",
        "2026-11-20": "2026-11-20T00:00:00+01:00",
        "2026-11-20T08:00+00:00": "2026-11-20T09:00:00+01:00",
    }
    assert since_moment(None, at) is None


def test_a_period_nobody_understands_is_said():
    """With the forms that are understood."""
    with pytest.raises(UsageError, match="today, week, month"):
        since_moment("yesteryear", records_at(NOON))
