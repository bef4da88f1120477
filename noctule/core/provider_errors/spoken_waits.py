"""Waits that a provider tells in a sentence instead of a header, in the languages they come in."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, tzinfo

from noctule.core.provider_errors.refusals import Evidence
from noctule.core.provider_errors.reset_names import ResetMeaning, understand
from noctule.core.provider_errors.told_times import ToldTime
from noctule.core.times.moments import after, duration_from, moment_from
from noctule.core.times.time_words import UNITS, any_of
from noctule.core.times.written_times import read_time

_READ = 4_000
_MOST = 20
_UNIT = rf"(?:{any_of(UNITS)})(?![a-z])"
_AMOUNT = rf"\d{{1,12}}(?:\.\d{{1,12}})?\s*(?:more\s+)?{_UNIT}"
_FROM = r"(?:\d{1,4}\s?(?:-|\u2013|to)\s?)?"
_DURATION = rf"{_FROM}({_AMOUNT}(?:\s*(?:,|and|\u53c8|\u96f6)?\s*{_AMOUNT}){{0,6}})"
_COMING_BACK = (
    r"(?:try again|try your request again|retry(?:ing)?|wait(?:ing)?|come back|"
    r"available(?: again)?|(?:be )?re(?:set|fresh|new|store)[^\W\d_]{0,3}|regain access|until|"
    r"(?:cycle|window|period) ends|blocked|cool(?:ing)?[ -]?down|"
    r"versuchen sie es|warten sie|réessayez|réessayer|"
    r"inténtel?[ao] de nuevo|espere|tente novamente|aguarde|"
    r"riprova|повторите(?: \w+)?|попробуйте(?: \w+){0,2}|подождите)"
)
_LINKS = (
    "in|after|for|within|another|your request|another request|the next|up to|less than|more than|"
    "dans|en|em|tra|через"
)
_LATER = re.compile(
    rf"{_COMING_BACK}(?:\s+(?:{_LINKS})){{0,4}}\s*:?\s*"
    rf"(?:about\s+|approximately\s+|around\s+|at least\s+|~\s*)?{_DURATION}",
    re.IGNORECASE,
)
_AGAIN = "(?:重试|再试|重試|再試|重置|重設|恢复|恢復|刷新|解除|リセット|다시|재시도)"
_LATER_IN_CHINESE = re.compile(
    rf"{_DURATION}\s*(?:之?后|後|후)?\s*[^\d。.]{{0,6}}{_AGAIN}"
    rf"|(?:请|請|等待|再等)[^\d。]{{0,8}}{_DURATION}"
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
_EPOCH = re.compile(
    r"(?:limit reached\||\b(?:reset|retry|available|until|again)\w{0,3}"
    r"(?:\s(?:at|after|time|is|on)){0,3}\s?[:=]?\s?)(\d{13}|\d{10})(?![\d.])",
    re.IGNORECASE,
)
_LENGTH = re.compile(
    r"(?:\b(?:until|before|to) (?:the |your )?(?:next )?(?:reset|refresh)"
    r"|\b(?:resets?|refreshes|retry|available|try again|wait)(?: again)? (?:in|after|for)"
    r"|\b(?:time )?(?:remaining|left))\s?:?\s?(\d{1,3}:\d{2}:\d{2})(?![\d:])",
    re.IGNORECASE,
)
"""``Time until reset: 01:30:00``, which is no time of day."""

_PAIR = re.compile(
    r"\b((?:retry|wait|cool|back-?off)[a-z_-]{0,30}(?: (?:after|in|ms|seconds?|time|delay)){0,2})"
    r"[\"']?\s?[:=]\s?[\"']?(\d{1,13}(?:\.\d{1,9})?)(?!\d|[:.]\d|\s?[a-z%])",
    re.IGNORECASE,
)
"""``retry-after-ms=997000``: a header or field that a gateway wrote into its sentence."""

_MORE = re.compile(r"\bmore\s+", re.IGNORECASE)
_STRAY_YEAR = re.compile(r"\s{0,3}\d{4}\b")
_OWN_ZONE = re.compile(r"(?:Z|UTC|GMT|[+-]\d{1,2}:?\d{0,2}|[A-Z]{2,5}|\))\W*$")
_JUST_OVER = 0.05
"""How much of a day, a week or a year may have passed since a reset that is told as if ahead."""


def spoken_waits(words: str, now: datetime, zone: tzinfo = UTC) -> Iterator[ToldTime]:
    """Give each phrase that names a time, with the moment it means; None when no date comes of it.

    Durations ("try again in 5.289s", "retry in 10h17m5s") come before dates ("regain access on
    2026-12-01 at 00:00 UTC", "resets 3:30pm (Europe/Berlin)").

    Args:
        words: the provider's message.
        now: what durations count from, aware.
        zone: where a date without a zone is meant.
    """
    read = words[:_READ]
    yield from _told_by_name(read, now)
    yield from _lasting(read, now)
    for match in _first(_EPOCH, read):
        yield ToldTime(_source(match[0]), moment_from(match[1], now), Evidence.BODY)
    for match in _first(_AT_IN_CHINESE, read):
        for offer in _dated(match[1] or match[2], "", now, zone):
            yield replace(offer, naive=True)
    for match in _first(_AT, read):
        yield from _dated(read[match.end() : match.end() + 80], match[0], now, zone)


def _told_by_name(read: str, now: datetime) -> Iterator[ToldTime]:
    for match in _first(_PAIR, read):
        told = understand(match[1])
        if told is not None and told.role is ResetMeaning.ORDER:
            moment = moment_from(match[2], now, unit_seconds=told.unit_seconds, moment=told.moment)
            yield ToldTime(_source(match[0]), moment, Evidence.BODY)


def _lasting(read: str, now: datetime) -> Iterator[ToldTime]:
    for match in _first(_LENGTH, read):
        yield ToldTime(_source(match[0]), moment_from(match[1], now, moment=False), Evidence.BODY)
    for pattern in (_LATER, _LATER_IN_CHINESE):
        for match in _first(pattern, read):
            duration = next(group for group in match.groups() if group)
            seconds = duration_from(_MORE.sub("", duration).strip())
            if seconds is not None:
                yield ToldTime(_source(match[0]), after(now, seconds), Evidence.BODY)


def _dated(text: str, lead: str, now: datetime, zone: tzinfo) -> Iterator[ToldTime]:
    """Give the moment of a date; one just over comes first, and after it its next occurrence."""
    start = now - timedelta(days=400)  # a moment that is over is told too
    reading = read_time(text, now=now, zone=zone) or read_time(text, now=start, zone=zone)
    if reading is None or _STRAY_YEAR.match(text, reading.consumed):
        return
    if len(reading.candidates) == 1:  # 12/5/2026, and the 12th of May is over
        reading = replace(reading, moment=reading.candidates[0])
    if reading.moment is None and reading.earlier is None:
        again = read_time(text, now=start, zone=zone)
        if again is None or again.moment is None or again.moment > now:
            return
        reading = again
    moment, earlier = reading.moment, reading.earlier
    if moment is not None and reading.day_only:  # a provider's day begins at midnight
        midnight = datetime.combine(moment.astimezone(zone).date(), time(), tzinfo=zone)
        moment, earlier = midnight.astimezone(UTC), None
    naive = _OWN_ZONE.search(reading.words) is None
    source = _source(lead + reading.words)
    if moment is not None and earlier is not None:
        passed = (now - earlier) / (moment - earlier)
        if 0 <= passed < _JUST_OVER:
            yield ToldTime(source, earlier, Evidence.BODY, naive=naive)
    yield ToldTime(source, moment, Evidence.BODY, naive=naive)


def _first(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for count, match in enumerate(pattern.finditer(text)):
        if count >= _MOST:
            return
        yield match


def _source(text: str) -> str:
    return repr(" ".join(text.split())[:60])
