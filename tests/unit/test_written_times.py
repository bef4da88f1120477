from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from noctule.core.times.written_times import TimeTrouble, read_time
from tests.support.fuzzing import examples

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday, 13:00 in Berlin

UNDERSTOOD = [
    # what is written, what it means in Berlin, what is left of it
    ("at 9am fix the tests", "2026-11-23 09:00", "fix the tests"),
    ("at 9 fix the tests", "2026-11-23 09:00", "fix the tests"),
    ("at 9: fix the tests", "2026-11-23 09:00", "fix the tests"),
    ("at 9, fix the tests", "2026-11-23 09:00", "fix the tests"),
    ("at 9 PM - fix the tests", "2026-11-22 21:00", "fix the tests"),
    ("at 9 p.m. fix", "2026-11-22 21:00", "fix"),
    ("at 9.30 fix", "2026-11-23 09:30", "fix"),
    ("at 0930 fix", "2026-11-23 09:30", "fix"),
    ("at 9 in the evening fix", "2026-11-22 21:00", "fix"),
    ("at 9am PT", "2026-11-22 18:00", ""),
    ("at half past nine", "2026-11-23 09:30", ""),
    ("half past 9 fix", "2026-11-23 09:30", "fix"),
    ("quarter to 5pm", "2026-11-22 16:45", ""),
    ("9 o'clock fix", "2026-11-23 09:00", "fix"),
    ("9:30", "2026-11-23 09:30", ""),
    ("9:30 src/main is wrong", "2026-11-23 09:30", "src/main is wrong"),
    ("24:00", "2026-11-23 00:00", ""),
    ("12am", "2026-11-23 00:00", ""),
    ("12pm", "2026-11-23 12:00", ""),
    ("noon", "2026-11-23 12:00", ""),
    ("at midnight back up", "2026-11-23 00:00", "back up"),
    ("tonight fix it", "2026-11-22 22:00", "fix it"),
    ("tonight at 9", "2026-11-22 21:00", ""),
    ("tonight at 2", "2026-11-23 02:00", ""),
    ("in the morning", "2026-11-23 08:00", ""),
    ("this evening", "2026-11-22 20:00", ""),
    ("tomorrow 9:00 fix", "2026-11-23 09:00", "fix"),
    ("tomorrow at 9 fix", "2026-11-23 09:00", "fix"),
    ("tomorrow morning fix", "2026-11-23 08:00", "fix"),
    ("Tomorrow fix", "2026-11-23 08:00", "fix"),
    ("9am tomorrow fix", "2026-11-23 09:00", "fix"),
    ("the day after tomorrow at 7", "2026-11-24 07:00", ""),
    ("today at 15 fix", "2026-11-22 15:00", "fix"),
    ("monday 8:00", "2026-11-23 08:00", ""),
    ("Sunday 8:00", "2026-11-29 08:00", ""),
    ("sunday 18:00", "2026-11-22 18:00", ""),
    ("next sunday 18:00", "2026-11-29 18:00", ""),
    ("on monday fix", "2026-11-23 08:00", "fix"),
    ("at 8 on tue fix", "2026-11-24 08:00", "fix"),
    ("the 5th at 9", "2026-12-05 09:00", ""),
    ("May 5 at 9", "2027-05-05 09:00", ""),
    ("5 May at 9", "2027-05-05 09:00", ""),
    ("Dec 1, 2026, 9:00 AM UTC", "2026-12-01 10:00", ""),
    ("Nov 30th, 2026 3:05 PM.", "2026-11-30 15:05", ""),
    ("13/12 at 9", "2026-12-13 09:00", ""),
    ("2026-12-01 09:00", "2026-12-01 09:00", ""),
    ("2026-12-01", "2026-12-01 00:00", ""),
    ("2026-12-01T08:00Z fix", "2026-12-01 09:00", "fix"),
    ("2026-12-01T08:00:30.5+05:00", "2026-12-01 04:00", ""),
    ("3:30pm (Europe/Berlin)", "2026-11-22 15:30", ""),
    ("3:30pm (America/New_York)", "2026-11-22 21:30", ""),
    ("20:35:41 UTC+8", "2026-11-22 13:35", ""),
    ("2026年11月22日 20:35", "2026-11-22 20:35", ""),
    ("in 2h fix", "2026-11-22 15:00", "fix"),
    ("in 2h30 fix", "2026-11-22 15:30", "fix"),
    ("in 90 minutes fix", "2026-11-22 14:30", "fix"),
    ("in 1 hour and 5 mins", "2026-11-22 14:05", ""),
    ("in an hour fix", "2026-11-22 14:00", "fix"),
    ("in half an hour", "2026-11-22 13:30", ""),
    ("in 1.5 hours", "2026-11-22 14:30", ""),
    ("2 hours from now", "2026-11-22 15:00", ""),
    ("in 3 days at 9", "2026-11-25 09:00", ""),
    ("in 3 months", "2027-02-22 13:00", ""),
    ("+2h fix", "2026-11-22 15:00", "fix"),
    ("at 30m fix", "2026-11-22 13:30", "fix"),
    ("1h30m", "2026-11-22 14:30", ""),
    ("am Montag um 8 Uhr", "2026-11-23 08:00", ""),
    ("morgen um 9", "2026-11-23 09:00", ""),
    ("heute Abend um 8", "2026-11-22 20:00", ""),
    ("in 2 Stunden", "2026-11-22 15:00", ""),
    ("1.12. 9:00", "2026-12-01 09:00", ""),
]
NO_TIMES = [
    "",
    "+",
    "soon",
    "fix the tests",
    "30",
    "9 files are broken",
    "at the end of the file add a line",
    "at 30 places there is a bug",
    "at 100% load it hangs",
    "at 5 km it stops",
    "at least try",
    "in 2 files there is a bug",
    "may the tests pass",
    "march on",
    "sun is shining",
    "today fix it",
    "monday's report is wrong",
    "morning report",
    "second try",
    "half the files",
    "30m rows are too many",
]
UNCLEAR = [
    # what is written, why it is asked about, what it may mean in Berlin
    ("at 25:00 fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("25:00", TimeTrouble.NOT_UNDERSTOOD, []),
    ("at 12:60", TimeTrouble.NOT_UNDERSTOOD, []),
    ("at 13pm fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("at 9:3 fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("at 9x fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("at 9ma fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("at 30", TimeTrouble.NOT_UNDERSTOOD, []),
    ("in 2", TimeTrouble.NOT_UNDERSTOOD, []),
    ("in 2 huors fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("+2x fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("-2h fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("tomorow 9:00 fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("wensday 8:00 fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("2026-13-01 fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("2026-02-30 9:00", TimeTrouble.NOT_UNDERSTOOD, []),
    ("9:30 (Europe/Berln)", TimeTrouble.NOT_UNDERSTOOD, []),
    ("9:00 CST fix", TimeTrouble.NOT_UNDERSTOOD, []),
    ("at 3 places there is a bug", TimeTrouble.AMBIGUOUS, ["2026-11-23 03:00"]),
    ("monday reports are wrong", TimeTrouble.AMBIGUOUS, ["2026-11-23 08:00"]),
    ("in the morning report is a bug", TimeTrouble.AMBIGUOUS, ["2026-11-23 08:00"]),
    ("at 21h30 fix", TimeTrouble.AMBIGUOUS, ["2026-11-22 21:30", "2026-11-23 10:30"]),
    ("3/4 at 9", TimeTrouble.AMBIGUOUS, ["2027-03-04 09:00", "2027-04-03 09:00"]),
    ("today at 9 fix", TimeTrouble.AMBIGUOUS, ["2026-11-22 21:00", "2026-11-23 09:00"]),
    ("today 9:00", TimeTrouble.PAST, ["2026-11-23 09:00"]),
    ("2026-11-22T12:59", TimeTrouble.PAST, []),
    ("in 2h at 9:00 fix", TimeTrouble.PAST, []),
    ("2020-01-01 9:00 fix", TimeTrouble.PAST, []),
]


def berlin(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M")


def test_usual_forms_of_times_are_read_and_the_rest_is_left():
    """A time at the front is understood in the person's zone; what follows is handed back."""
    wrong = []
    for text, meant, left in UNDERSTOOD:
        reading = read_time(text, now=NOW, zone=BERLIN)
        seen = (berlin(reading.moment), reading.rest(text)) if reading else (None, None)
        if seen != (meant, left):
            wrong.append((text, seen))
    assert wrong == []


def test_sentences_are_no_times():
    """What people begin sentences with is not taken for a time."""
    readings = [(text, read_time(text, now=NOW, zone=BERLIN)) for text in NO_TIMES]
    assert [(text, r) for text, r in readings if r is not None] == []


def test_what_is_nearly_a_time_is_told_apart_from_no_time():
    """It has no moment, says why, and offers what it may have meant."""
    wrong = []
    for text, trouble, meant in UNCLEAR:
        reading = read_time(text, now=NOW, zone=BERLIN)
        seen = reading and (reading.moment, reading.trouble, list(map(berlin, reading.candidates)))
        if seen != (None, trouble, meant):
            wrong.append((text, seen))
    assert wrong == []


def test_a_number_alone_is_an_hour_only_where_a_time_is_expected():
    """``--at 9`` is nine o'clock; "9" in front of a sentence is not."""
    assert read_time("9", now=NOW, zone=BERLIN) is None
    reading = read_time("9", now=NOW, zone=BERLIN, expected=True)
    assert reading is not None
    assert berlin(reading.moment) == "2026-11-23 09:00"


def test_clock_changes_leave_no_time_out_and_give_none_twice():
    """02:30 in the gap of spring is an hour later; in the fold of autumn it is the one ahead."""
    spring = datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
    reading = read_time("2:30", now=spring, zone=BERLIN)
    assert reading is not None
    assert reading.moment == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 on the wall
    before, between = datetime(2026, 10, 25, 0, 15, tzinfo=UTC), timedelta(minutes=30)
    first = read_time("2:30", now=before, zone=BERLIN)
    second = read_time("2:30", now=before + between, zone=BERLIN)
    assert [first and first.moment, second and second.moment] == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    ]


PIECES = st.sampled_from(
    """at in on 9 25 9:30 99:99 9am 13pm tomorrow tonight monday next may 5 the 5th of 2026-12-01 T
    08:00 Z + - , h 2h 999999999 days weeks half an hour past (Europe/Berlin) UTC+99 noon 24:00 am
    31.2. 3/4 0000-00-00 9999-12-31 年 １２ ² uhr months 00:00""".split()  # noqa: RUF001, SIM905 - words, some in digits of other scripts
)


@settings(max_examples=examples(150))
@given(
    text=st.lists(PIECES, max_size=8).map(" ".join) | st.text(max_size=40),
    now=st.datetimes(datetime(1990, 1, 1), datetime(9990, 1, 1)),  # noqa: DTZ001 - the zone is added below
    expected=st.booleans(),
)
def test_nothing_written_is_too_odd_to_read(text: str, now: datetime, expected: bool):  # noqa: FBT001 - drawn
    """Whatever is written gives a moment ahead, a trouble, or nothing; never an exception."""
    now = now.replace(tzinfo=UTC)
    reading = read_time(text, now=now, zone=BERLIN, expected=expected)
    if reading is None:
        return
    assert (reading.moment is None) == (reading.trouble is not None)
    assert 0 < reading.consumed <= len(text)
    assert text.endswith(reading.rest(text))
    ahead = [*reading.candidates, *([reading.moment] if reading.moment else [])]
    assert all(moment >= now for moment in ahead), ahead
