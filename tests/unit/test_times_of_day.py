from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.times.times_of_day import parse_moment
from noctule.core.times.written_times import TimeTrouble, read_time

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # 13:00 in Berlin


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("23:30", datetime(2026, 11, 22, 22, 30, tzinfo=UTC)),
        ("13:00", datetime(2026, 11, 23, 12, 0, tzinfo=UTC)),  # now is not the next one
        ("7:05", datetime(2026, 11, 23, 6, 5, tzinfo=UTC)),
        ("+2h", NOW + timedelta(hours=2)),
        ("30m", NOW + timedelta(minutes=30)),
        ("+1h30m", NOW + timedelta(minutes=90)),
        ("2026-12-01", datetime(2026, 11, 30, 23, 0, tzinfo=UTC)),
        ("2026-12-01T08:00", datetime(2026, 12, 1, 7, 0, tzinfo=UTC)),
        ("2026-12-01 08:00+05:00", datetime(2026, 12, 1, 3, 0, tzinfo=UTC)),
        ("2026-12-01T08:00Z", datetime(2026, 12, 1, 8, 0, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_the_zone_of_the_settings(text, moment):
    """A time of day is its next occurrence, a duration counts from now, ISO 8601 is itself."""
    assert parse_moment(text, now=NOW, zone=BERLIN) == moment


@pytest.mark.parametrize("text", ["", "soon", "25:00", "12:60", "30", "+", "-2h", "2026-13-01"])
def test_what_names_no_time_is_refused(text):
    """Words, impossible times and bare numbers are no times."""
    with pytest.raises(ValueError, match="names no time"):
        parse_moment(text, now=NOW, zone=BERLIN)


def test_the_past_is_refused():
    """A moment that is over is a mistake, not an order to begin at once."""
    with pytest.raises(ValueError, match="past"):
        parse_moment("2026-11-22T12:59", now=NOW, zone=BERLIN)


def test_a_time_that_a_clock_change_leaves_out_still_comes():
    """02:30 on the night when clocks jump from 2 to 3 is a moment within a day and an hour."""
    now = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    moment = parse_moment("02:30", now=now, zone=BERLIN)
    assert now < moment <= now + timedelta(hours=25)


@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis adds the zone
    at=st.times(),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_a_time_of_day_comes_within_a_day_and_an_hour(now, at, zone):
    """Whatever the zone and the season, it is ahead and at most 25 hours away."""
    moment = parse_moment(f"{at.hour:02}:{at.minute:02}", now=now, zone=ZoneInfo(zone))
    assert now < moment <= now + timedelta(hours=25)


def test_halves_and_couples_are_counted_and_an_hour_with_an_h_is_asked_about() -> None:
    """Nobody who writes "in an hour and a half" means an hour, nor "at 21h" the next evening."""
    minutes = {
        "in an hour and a half": 90,
        "in one and a half hours": 90,
        "in 2 and a half hours": 150,
        "in a couple of hours": 120,
        "in 2 hours and 30 minutes": 150,
        "21h": 21 * 60,
    }
    read = {
        text: (parse_moment(text, now=NOW, zone=BERLIN) - NOW).total_seconds() / 60
        for text in minutes
    }
    assert read == minutes
    asked = read_time("at 21h", now=NOW, zone=BERLIN)
    assert asked is not None
    assert asked.trouble is TimeTrouble.AMBIGUOUS
    assert asked.candidates == (NOW + timedelta(hours=8), NOW + timedelta(hours=21))


def test_the_time_before_is_the_same_on_the_wall_across_a_clock_change() -> None:
    """The day of the change in October has 25 hours, and its week one more than others."""
    now = datetime(2026, 10, 25, 21, 0, tzinfo=UTC)  # 22:00 in Berlin
    for text, days in (("at 23:30", 1), ("monday 8:00", 7)):
        found = read_time(text, now=now, zone=BERLIN)
        assert found is not None
        assert found.moment is not None
        assert found.earlier is not None
        on_wall = [
            at.astimezone(BERLIN).replace(tzinfo=None) for at in (found.earlier, found.moment)
        ]
        assert on_wall[1] - on_wall[0] == timedelta(days=days)
