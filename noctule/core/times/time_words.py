"""The words people and providers write times with, as data and as the patterns made of it."""

import re
from collections.abc import Iterable
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

UNIT_SECONDS = {
    1e-6: "microseconds microsecond us µs",
    0.001: "milliseconds millisecond msecs msec millis ms 毫秒",
    1.0: "seconds second secs sec sekunden sekunde sek secondes segundos secondi s 秒钟 秒 초 "
    "секунд секунды секунду сек",
    60.0: "minutes minute mins min minuten minutos minuti m 分钟 分鐘 分 분 "
    "минут минуты минуту мин",
    3600.0: "hours hour hrs hr stunden stunde std heures heure horas hora ore h "
    "个小时 小时 個小時 小時 时 時間 시간 часов часа час",
    86400.0: "days day tagen tage tag jours jour días dias giorni d 天 日 일",
    604800.0: "weeks week wochen woche wks wk w 周 星期",
}
"""Every name of a unit of time, by its seconds. A month has no fixed length: see MONTH_UNITS."""

UNITS = {name: seconds for seconds, names in UNIT_SECONDS.items() for name in names.split()}
MONTH_UNITS = frozenset({"months", "month", "monaten", "monate", "monat"})

NUMBERS = {
    **dict.fromkeys(("a", "an", "one", "ein", "eine", "einer", "einem", "einen"), 1.0),
    **dict.fromkeys(("two", "zwei", "a couple of", "couple of"), 2.0),
    **dict.fromkeys(("three", "drei"), 3.0),
    **dict.fromkeys(("four", "vier"), 4.0),
    **dict.fromkeys(("five", "fünf"), 5.0),
    **dict.fromkeys(("six", "sechs"), 6.0),
    **dict.fromkeys(("seven", "sieben"), 7.0),
    **dict.fromkeys(("eight", "acht"), 8.0),
    **dict.fromkeys(("nine", "neun"), 9.0),
    **dict.fromkeys(("ten", "zehn"), 10.0),
    "eleven": 11.0,
    "twelve": 12.0,
    "fifteen": 15.0,
    "twenty": 20.0,
    "thirty": 30.0,
    "half an": 0.5,
    "half a": 0.5,
    "einer halben": 0.5,
}

DAYS_AHEAD = {
    "today": 0,
    "heute": 0,
    "今天": 0,
    "今日": 0,
    "次日": 1,
    "tomorrow": 1,
    "tmrw": 1,
    "morgen": 1,
    "明天": 1,
    "day after tomorrow": 2,
    "the day after tomorrow": 2,
    "übermorgen": 2,
}
WEEKDAYS = {
    **dict.fromkeys(("monday", "mon", "montag"), 0),
    **dict.fromkeys(("tuesday", "tues", "tue", "dienstag"), 1),
    **dict.fromkeys(("wednesday", "wed", "mittwoch"), 2),
    **dict.fromkeys(("thursday", "thurs", "thur", "thu", "donnerstag"), 3),
    **dict.fromkeys(("friday", "fri", "freitag"), 4),
    **dict.fromkeys(("saturday", "sat", "samstag", "sonnabend"), 5),
    **dict.fromkeys(("sunday", "sun", "sonntag"), 6),
}
MONTHS = {
    **dict.fromkeys(("january", "jan", "januar"), 1),
    **dict.fromkeys(("february", "feb", "februar"), 2),
    **dict.fromkeys(("march", "mar", "märz"), 3),
    **dict.fromkeys(("april", "apr"), 4),
    **dict.fromkeys(("may", "mai"), 5),
    **dict.fromkeys(("june", "jun", "juni"), 6),
    **dict.fromkeys(("july", "jul", "juli"), 7),
    **dict.fromkeys(("august", "aug"), 8),
    **dict.fromkeys(("september", "sept", "sep"), 9),
    **dict.fromkeys(("october", "oct", "oktober"), 10),
    **dict.fromkeys(("november", "nov"), 11),
    **dict.fromkeys(("december", "dec", "dezember"), 12),
}
PARTS_OF_DAY = {
    "early morning": 6,
    "morning": 8,
    "früh": 8,
    "afternoon": 15,
    "nachmittag": 15,
    "evening": 20,
    "abend": 20,
    "night": 22,
    "nacht": 22,
}
"""The hour a part of the day begins at when no clock time stands beside it."""

NAMED_HOURS = {
    **dict.fromkeys(("noon", "midday", "mittag", "mittags"), 12),
    **dict.fromkeys(("midnight", "mitternacht"), 0),
}

ZONES: dict[str, str] = {
    **dict.fromkeys(("PT", "PST", "PDT", "Pacific Time", "Pacific"), "America/Los_Angeles"),
    **dict.fromkeys(("ET", "EST", "EDT", "Eastern Time", "Eastern"), "America/New_York"),
    **dict.fromkeys(("CT", "CDT", "Central Time"), "America/Chicago"),
    **dict.fromkeys(("MT", "MDT", "MST"), "America/Denver"),
    **dict.fromkeys(("CET", "CEST", "MEZ", "MESZ"), "Europe/Berlin"),
    **dict.fromkeys(("WET", "WEST"), "Europe/Lisbon"),
    **dict.fromkeys(("EET", "EEST"), "Europe/Athens"),
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "SGT": "Asia/Singapore",
    **dict.fromkeys(("Beijing time", "北京时间", "China Standard Time"), "Asia/Shanghai"),
    **dict.fromkeys(("UTC", "GMT", "Z"), "UTC"),
}
"""What zones are called beside their IANA names. CST, BST and IST mean several and are not here."""

AMBIGUOUS_ZONES = frozenset({"CST", "BST", "IST"})


def any_of(names: Iterable[str]) -> str:
    """Return a pattern for any of some words, the longest first."""
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


def zone_named(name: str) -> tzinfo | None:
    """Return the zone of an IANA name or an abbreviation; None when it is none known here."""
    try:
        return ZoneInfo(ZONES.get(name, name))
    except (KeyError, OSError, ValueError):
        return None


def fixed_zone(sign: str, hours: str, minutes: str | None) -> tzinfo | None:
    """Return the zone of an offset such as ``+05:30``; None when there is no such offset."""
    shift = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if shift > timedelta(hours=14):
        return None
    return timezone(-shift if sign == "-" else shift)
