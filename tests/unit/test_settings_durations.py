from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.times.durations import parse_duration, show_duration, write_duration

YEARS = timedelta(days=36_500)
UNITS = {
    "w": "weeks",
    "d": "days",
    "h": "hours",
    "m": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
}


@given(st.timedeltas(min_value=timedelta(0), max_value=YEARS))
def test_what_is_written_is_read_back(duration):
    """Every duration of up to a hundred years survives being written and read."""
    assert parse_duration(write_duration(duration)) == duration


@given(st.dictionaries(st.sampled_from(list(UNITS)), st.integers(0, 999), min_size=1))
def test_parts_add_up(parts):
    """A duration is the sum of its parts, in any order, with or without spaces."""
    expected = sum((timedelta(**{UNITS[u]: n}) for u, n in parts.items()), timedelta(0))
    texts = [f"{number}{unit}" for unit, number in parts.items()]
    assert parse_duration("".join(texts)) == expected
    assert parse_duration(" ".join(reversed(texts)).upper()) == expected


@given(st.one_of(st.integers(0, 10**9), st.floats(0, 1e9)))
def test_bare_numbers_are_seconds(seconds):
    """A number without a unit is seconds."""
    assert parse_duration(seconds) == timedelta(seconds=seconds)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.binary(), st.none(), st.booleans()))
def test_anything_else_is_refused_in_words(value):
    """Whatever is given is a duration of zero or more, or a ValueError; nothing else happens."""
    try:
        duration = parse_duration(value)
    except ValueError as error:
        refusal = str(error)
    else:
        assert duration >= timedelta(0)
        return
    assert "write one like" in refusal or "zero or more" in refusal


@pytest.mark.parametrize(
    "value", ["", " ", "h", "5 parsecs", "1h x", "-5s", "1e9s", "99999999999999w", True, None, -1]
)
def test_no_duration(value):
    """Words, signs and lengths beyond reason are refused."""
    with pytest.raises(ValueError, match=r"write one like|zero or more"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (3.14, "3.1 s"),
        (42, "42 s"),
        (240, "4 min"),
        (7500, "2 h 05 min"),
        (360_000, "4 d 4 h"),
    ],
)
def test_lengths_for_people(seconds, text):
    """Lengths of time are shown in two units at most."""
    assert show_duration(seconds) == text
