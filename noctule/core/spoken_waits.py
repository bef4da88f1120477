"""Waits that a provider tells in a sentence instead of a header, in the languages they come in."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, tzinfo

from noctule.core.moments import after, duration_from, moment_from
from noctule.core.refusals import Evidence
from noctule.core.time_words import UNITS, any_of
from noctule.core.told_times import Offer
from noctule.core.written_times import read_time

_READ = 4_000
_MOST = 20
_UNIT = rf"(?:{any_of(UNITS)})(?![a-z])"
_AMOUNT = rf"\d{{1,12}}(?:\.\d{{1,12}})?\s*{_UNIT}"
_DURATION = rf"({_AMOUNT}(?:\s*(?:,|and|\u53c8|\u96f6)?\s*{_AMOUNT}){{0,6}})"
_COMING_BACK = (
    r"(?:try again|try your request again|retry(?:ing)?|wait(?:ing)?|come back|"
    r"available(?: again)?|(?:be )?re(?:set|fresh|new|store)[^\W\d_]{0,3}|regain access|until|"
    r"(?:cycle|window|period) ends|versuchen sie es|warten sie|réessayez|réessayer|"
    r"inténtel?[ao] de nuevo|tente novamente|riprova)"
)
_LINKS = "in|after|for|within|another|your request|another request|dans|en|em|tra"
_LATER = re.compile(
    rf"{_COMING_BACK}(?:\s+(?:{_LINKS})){{0,4}}\s*:?\s*"
    rf"(?:about\s+|approximately\s+|around\s+|at least\s+|~\s*)?{_DURATION}",
    re.IGNORECASE,
)
_AGAIN = "(?:重试|再试|重置|恢复|刷新|解除|再試行|リセット|다시|재시도)"
_LATER_IN_CHINESE = re.compile(
    rf"{_DURATION}\s*(?:之?后|後|후)?\s*[^\d。.]{{0,6}}{_AGAIN}"
    rf"|(?:请|等待|再等)[^\d。]{{0,8}}{_DURATION}"
)
"""And in Japanese and Korean, where the wait stands before the word as well."""

_AT = re.compile(
    rf"\b{_COMING_BACK}(?:\s+(?:again|on|at|after|until|by|time|is|will be)){{0,4}}[\s:\u00b7]+",
    re.IGNORECASE,
)
_STAMP = (
    r"(?:(?:\d{4}[-/年]\d{1,2}[-/月]\d{1,2}日?|今[天日]|明天|次日)[T\s]{0,3})?"
    r"\d{1,2}[:：]\d{2}(?::\d{2}(?:\.\d{1,9})?)?"  # noqa: RUF001 - the full-width colon
)
_AT_IN_CHINESE = re.compile(
    rf"({_STAMP})\s*(?:之?后)?\s*{_AGAIN}|(?:重置|恢复|刷新|解除)(?:时间)?[^\d。]{{0,6}}({_STAMP})"
)
_EPOCH = re.compile(r"limit reached\|(\d{10,13})\b", re.IGNORECASE)
_STRAY_YEAR = re.compile(r"\s{0,3}\d{4}\b")
_OWN_ZONE = re.compile(r"(?:Z|UTC|GMT|[+-]\d{1,2}:?\d{0,2}|[A-Z]{2,5}|\))\W*$")
_JUST_OVER = 0.05
"""How much of a day, a week or a year may have passed since a reset that is told as if ahead."""


def spoken_waits(words: str, now: datetime, zone: tzinfo = UTC) -> Iterator[Offer]:
    """Give each phrase that names a time, with the moment it means; None when no date comes of it.

    Durations ("try again in 5.289s", "retry in 10h17m5s") come before dates ("regain access on
    2026-12-01 at 00:00 UTC", "resets 3:30pm (Europe/Berlin)").

    Args:
        words: the provider's message.
        now: what durations count from, aware.
        zone: where a date without a zone is meant.
    """
    read = words[:_READ]
    for pattern in (_LATER, _LATER_IN_CHINESE):
        for match in _first(pattern, read):
            duration = next(group for group in match.groups() if group)
            seconds = duration_from(duration.strip())
            if seconds is not None:
                yield Offer(_source(match[0]), after(now, seconds), Evidence.BODY)
    for match in _first(_EPOCH, read):
        yield Offer(_source(match[0]), moment_from(match[1], now), Evidence.BODY)
    for match in _first(_AT_IN_CHINESE, read):
        offer = _dated(match[1] or match[2], "", now, zone)
        if offer is not None:
            yield replace(offer, naive=True)
    for match in _first(_AT, read):
        offer = _dated(read[match.end() : match.end() + 80], match[0], now, zone)
        if offer is not None:
            yield offer


def _dated(text: str, lead: str, now: datetime, zone: tzinfo) -> Offer | None:
    start = now - timedelta(days=400)  # a moment that is over is told too
    reading = read_time(text, now=now, zone=zone) or read_time(text, now=start, zone=zone)
    if reading is None or _STRAY_YEAR.match(text, reading.consumed):
        return None
    if len(reading.candidates) == 1:  # 12/5/2026, and the 12th of May is over
        reading = replace(reading, moment=reading.candidates[0])
    if reading.moment is None and reading.earlier is None:
        again = read_time(text, now=start, zone=zone)
        if again is None or again.moment is None or again.moment > now:
            return None
        reading = again
    moment, earlier = reading.moment, reading.earlier
    if moment is not None and reading.day_only:  # a provider's day begins at midnight
        midnight = datetime.combine(moment.astimezone(zone).date(), time(), tzinfo=zone)
        moment, earlier = midnight.astimezone(UTC), None
    if moment is not None and earlier is not None:
        passed = (now - earlier) / (moment - earlier)
        moment = earlier if 0 <= passed < _JUST_OVER else moment
    naive = _OWN_ZONE.search(reading.words) is None
    return Offer(_source(lead + reading.words), moment, Evidence.BODY, naive=naive)


def _first(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for count, match in enumerate(pattern.finditer(text)):
        if count >= _MOST:
            return
        yield match


def _source(text: str) -> str:
    return repr(" ".join(text.split())[:60])
