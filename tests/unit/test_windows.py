from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.times.windows import CalendarUnit, Window, WindowKind

ZONES = st.sampled_from(
    [
        UTC,
        timezone(timedelta(hours=5, minutes=45)),
        ZoneInfo("Europe/Berlin"),
        ZoneInfo("America/Los_Angeles"),
        ZoneInfo("Australia/Lord_Howe"),
        ZoneInfo("America/Santiago"),
    ]
)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)).map(  # noqa: DTZ001 - hypothesis wants naive bounds
    lambda moment: moment.replace(tzinfo=UTC)
)
TIMES = st.times().map(lambda at: at.replace(microsecond=0))
LENGTHS = st.timedeltas(timedelta(seconds=1), timedelta(days=1))
ALIGNED = st.one_of(
    st.builds(
        Window,
        st.just(WindowKind.ALIGNED),
        LENGTHS,
        st.one_of(st.none(), TIMES),
        ZONES,
        st.booleans(),
    ),
    st.builds(
        Window,
        st.just(WindowKind.ALIGNED),
        st.timedeltas(timedelta(seconds=1), timedelta(days=90)),
        MOMENTS,
        ZONES,
    ),
    st.builds(
        Window,
        st.just(WindowKind.ALIGNED),
        st.sampled_from(CalendarUnit),
        st.one_of(st.none(), TIMES, MOMENTS),
        ZONES,
    ),
)
FLOATING = st.builds(
    Window,
    st.sampled_from([WindowKind.ROLLING, WindowKind.FIRST_USE]),
    st.one_of(LENGTHS, st.sampled_from(CalendarUnit)),
)


def resets(window: Window, start: datetime, count: int) -> list[str]:
    found = []
    for _ in range(count):
        start = window.next_reset(start)
        found.append(start.strftime("%d %H"))
    return found


@given(ALIGNED, MOMENTS)
def test_an_aligned_window_holds_its_moment(window: Window, now: datetime):
    """A window starts at or before the moment it holds and ends after it."""
    assert window.start(now) <= now < window.next_reset(now)


def test_a_carried_window_lasts_over_midnight():
    """With a late anchor the window that was open at the anchor still holds after midnight."""
    window = Window(WindowKind.ALIGNED, timedelta(hours=7), time(23), UTC, carry=True)
    now = datetime(2026, 11, 3, 1, tzinfo=UTC)
    assert window.start(now) == datetime(2026, 11, 2, 20, tzinfo=UTC)
    assert window.next_reset(now) == datetime(2026, 11, 3, 3, tzinfo=UTC)


@given(ALIGNED, MOMENTS)
def test_aligned_windows_join_without_gap_or_overlap(window: Window, now: datetime):
    """Every moment of a window names the same start and end; the end starts the next one."""
    start, end = window.start(now), window.next_reset(now)
    assert (window.start(start), window.next_reset(start)) == (start, end)
    last = end - timedelta.resolution
    assert (window.start(last), window.next_reset(last)) == (start, end)
    assert window.start(end) == end


@given(ALIGNED, MOMENTS)
def test_aligned_windows_are_no_longer_than_they_say(window: Window, now: datetime):
    """Only the change of clocks makes one longer, by at most an hour."""
    length = window.length
    if not isinstance(length, timedelta):
        length = {"day": timedelta(1), "week": timedelta(7), "month": timedelta(31)}[length]
    assert window.next_reset(now) - window.start(now) <= length + timedelta(hours=1)


@given(FLOATING, MOMENTS, st.one_of(st.none(), st.timedeltas(timedelta(-60), timedelta(60))))
def test_a_floating_window_holds_its_moment(
    window: Window, now: datetime, offset: timedelta | None
):
    """Rolling and first-use windows hold their moment wherever the first use was."""
    first_use = None if offset is None else now + offset
    assert window.start(now, first_use) <= now < window.next_reset(now, first_use)


def test_five_hours_of_a_litellm_host_carry_over_midnight():
    """05, 10, 15, 20 and then 01:00 UTC, where LiteLLM hosts turn."""
    window = Window(WindowKind.ALIGNED, timedelta(hours=5), carry=True)
    now = datetime(2026, 11, 1, 2, tzinfo=UTC)
    assert resets(window, now, 6) == ["01 05", "01 10", "01 15", "01 20", "02 01", "02 05"]


def test_five_hours_of_other_hosts_start_over_at_midnight():
    """05, 10, 15, 20 and then 00:00."""
    window = Window(WindowKind.ALIGNED, timedelta(hours=5))
    now = datetime(2026, 11, 1, 2, tzinfo=UTC)
    assert resets(window, now, 5) == ["01 05", "01 10", "01 15", "01 20", "02 00"]


def test_five_hours_from_a_moment_run_on_for_ever():
    """A datetime anchor gives an unbroken row of windows over every midnight."""
    window = Window.from_words("aligned", timedelta(hours=5), anchor="2026-11-01T00:00:00+00:00")
    now = datetime(2026, 11, 1, 18, tzinfo=UTC)
    assert resets(window, now, 4) == ["01 20", "02 01", "02 06", "02 11"]


def test_a_first_use_window_ends_its_length_after_the_first_use():
    """It lasts from the first use on; one that is over starts anew with the next use."""
    window = Window(WindowKind.FIRST_USE, timedelta(hours=5))
    used = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    assert window.next_reset(used + timedelta(hours=4), used) == used + timedelta(hours=5)
    later = used + timedelta(hours=6)
    assert window.start(later, used) == later
    assert window.next_reset(later, used) == later + timedelta(hours=5)


def test_calendar_days_follow_the_clocks_of_their_zone():
    """In Berlin the day of the change in October has 25 hours and that of March 23."""
    window = Window.from_words("aligned", "day", timezone="Europe/Berlin")
    autumn = datetime(2026, 10, 25, 12, tzinfo=UTC)
    spring = datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert window.next_reset(autumn) - window.start(autumn) == timedelta(hours=25)
    assert window.next_reset(spring) - window.start(spring) == timedelta(hours=23)
    assert window.next_reset(autumn).astimezone(ZoneInfo("Europe/Berlin")).time() == time()


def test_weeks_start_on_monday_and_months_on_the_first():
    """Without an anchor calendar windows turn at midnight of Monday and of the 1st."""
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert Window.from_words("aligned", "week").next_reset(now) == datetime(
        2026, 11, 23, tzinfo=UTC
    )
    assert Window.from_words("aligned", "month").start(now) == datetime(2026, 11, 1, tzinfo=UTC)


def test_a_month_anchored_on_the_31st_turns_on_the_last_day():
    """Short months turn on their last day."""
    window = Window.from_words("aligned", "month", anchor="2026-01-31T06:00:00+00:00")
    now = datetime(2026, 2, 1, tzinfo=UTC)
    assert window.next_reset(now) == datetime(2026, 2, 28, 6, tzinfo=UTC)


def test_an_anchored_week_turns_on_the_anchor_s_weekday():
    """The weekday is that of the anchor in the window's own zone."""
    window = Window.from_words(
        "aligned", "week", anchor="2026-11-20T23:30:00+00:00", timezone="Europe/Berlin"
    )
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert window.next_reset(now) == datetime(2026, 11, 27, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"kind": "rolling", "length": timedelta(0)}, "above zero"),
        ({"kind": "aligned", "length": timedelta(days=2)}, "date and time"),
        ({"kind": "aligned", "length": "day", "anchor": "01:00+02:00"}, "zone"),
        ({"kind": "aligned", "length": "day", "anchor": "noon"}, "time of day like"),
        ({"kind": "aligned", "length": "day", "timezone": "Europe/Bonn"}, "no time zone"),
        ({"kind": "aligned", "length": "day", "timezone": "../etc/passwd"}, "no time zone"),
        ({"kind": "sliding", "length": "day"}, "sliding"),
        ({"kind": "aligned", "length": "fortnight"}, "fortnight"),
    ],
)
def test_windows_that_mean_nothing_are_refused_with_a_sentence(words: dict, complaint: str):
    """What cannot be a window says what to write instead."""
    with pytest.raises(ValueError, match=complaint):
        Window.from_words(**words)
