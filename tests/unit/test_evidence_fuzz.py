import importlib
import json
import re
import re._constants as sre  # type: ignore[import-not-found]  # typeshed has no such
import re._parser as parser  # type: ignore[import-not-found]  # likewise
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.parse import read_refusal
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.core.provider_errors.spoken_waits import spoken_waits
from noctule.models.completion.failures import explain
from tests.support.fuzzing import examples
from tests.support.refusal_cases import CASES, NOW

EPOCH = int(NOW.timestamp())
LONGEST = timedelta(days=400)

NAMES = st.sampled_from(
    """error message code type status details metadata headers raw retry_after retryAfterMs
    retryDelay resets_at resets_in_seconds reset_time quotaResetDelay x-ratelimit-reset
    X-RateLimit-Remaining x-codex-primary-used-percent x-codex-primary-reset-after-seconds
    used_percent utilization remaining n_ctx limit_reset quotaId quota_limit_value estimated_time
    limit_source""".split()  # noqa: SIM905 - names, one after the other
)
WORDS = st.sampled_from(
    [
        *(case.body for case in CASES),
        "try again in 99999999999999 years",
        "resets at 0000-00-00 99:99",
        "resets 13pm (Mars/Olympus)",
        "reset at 9999-12-31 23:59:59",
        "已达到 99999 小时的使用上限。将在 2026-02-30 25:61:61 重置",
        "maximum context length is 999999999 tokens",
        "can only afford 999999999999",
        "limit reached|99999999999999999999",
        "5 hour limit resets at 2026-11-22 20:35:41",
        "\x00\ud800 １２:３０ ²",  # noqa: RUF001 - digits of other scripts
    ]
)
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0, -1, EPOCH, EPOCH * 1000, EPOCH - 10**7, 10**300, 1e308, -1e308]),
)
VALUES = st.one_of(NUMBERS, NUMBERS.map(str), WORDS, st.text(max_size=30), st.none(), st.booleans())
BODIES = st.recursive(
    VALUES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(NAMES, inner, max_size=5),
        inner.map(json.dumps),
    ),
    max_leaves=20,
)
HEADERS = st.dictionaries(
    st.one_of(NAMES, st.sampled_from(["retry-after", "retry-after-ms", "RateLimit", "reset_at"])),
    st.one_of(st.text(max_size=40), NUMBERS.map(str), st.just('"a";r=0;t=99999999999999')),
    max_size=5,
)
STATUSES = st.sampled_from([None, 200, 302, 400, 401, 402, 403, 412, 413, 422, 429, 500, 503, 529])


def believable(refusal: Refusal, now: datetime) -> None:
    assert refusal.outcome is not Outcome.SUCCESS
    assert refusal.message
    assert len(refusal.message) <= 300
    assert (refusal.retry_at is None) == (refusal.evidence is None)
    if refusal.retry_at is not None:
        assert refusal.outcome.limits
        assert now <= refusal.retry_at <= now + LONGEST
    for tokens in (refusal.context_tokens, refusal.affordable_tokens):
        assert tokens is None or tokens >= 0


@settings(max_examples=examples(250))
@given(
    STATUSES,
    HEADERS,
    BODIES,
    st.integers(-1, 50),
    st.sampled_from(["", "http://[", "https://api.z.ai"]),
)
def test_whatever_comes_gives_a_refusal_that_can_be_believed(
    status: int | None, headers: dict[str, str], body: Any, consecutive: int, url: str
):
    """No nesting, type or number raises, waits in the past, or is taken at its word for years."""
    answer = ProviderResponse(status, headers, json.dumps(body), url)
    believable(read_refusal(answer, now=NOW, consecutive=consecutive), NOW)


@settings(max_examples=examples(80))
@given(STATUSES, st.one_of(st.text(max_size=300), st.binary(max_size=300).map(repr)))
def test_bodies_that_are_no_json_are_read_as_well(status: int | None, body: str):
    """Pages, lines of a stream and bytes give a refusal too, through the exceptions of a client."""
    believable(read_refusal(ProviderResponse(status, body=body), now=NOW), NOW)
    assert explain(ValueError(body), now=NOW).message


@settings(max_examples=examples(120))
@given(st.sampled_from(CASES), st.data())
def test_a_form_cut_short_or_with_a_piece_changed_is_survived(case: Any, data: st.DataObject):
    """Proxies cut bodies; a known form with bytes missing or changed is still believable."""
    at = data.draw(st.integers(0, len(case.body)))
    piece = data.draw(st.sampled_from(["", "\x00", "{", "9" * 40, '"', "\\"]))
    broken = case.body[:at] + piece + case.body[at + 1 :]
    answer = ProviderResponse(case.status, case.headers, broken, case.url)
    believable(read_refusal(answer, now=NOW, window=case.window), NOW)


@settings(max_examples=examples(60))
@given(
    st.sampled_from([case for case in CASES if case.expect.get("evidence") in {"header", "body"}]),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - the zone is added below
    st.integers(0, 30),
)
def test_a_form_read_at_another_time_never_waits_in_the_past(
    case: Any, moment: datetime, consecutive: int
):
    """A stale or premature stamp is "now" at most once, then it is a guess or another source."""
    now = moment.replace(tzinfo=UTC)
    refusal = read_refusal(case.answer, now=now, window=case.window, consecutive=consecutive)
    believable(refusal, now)
    if consecutive and refusal.evidence in {Evidence.HEADER, Evidence.BODY}:
        assert refusal.retry_at is not None
        assert refusal.retry_at > now


def test_an_answer_without_end_is_read_up_to_a_bound():
    """However long a body is, only its front is searched and only so many of its objects."""
    long = ProviderResponse(
        429, body=json.dumps({"error": {"message": "try again in 9s " * 100_000}})
    )
    assert len(long.words) <= 8_000
    assert len(list(spoken_waits("try again in 9s " * 100_000, NOW))) <= 100
    wide = ProviderResponse(429, body=json.dumps([{"retry_after": n} for n in range(50_000)]))
    assert len(wide.scopes) <= 2_000
    deep = ProviderResponse(429, body="[" * 900 + '{"retry_after": 9}' + "]" * 900)
    assert read_refusal(deep, now=NOW).retry_at == NOW + timedelta(seconds=9)


READERS = [
    "noctule.core.provider_errors.provider_response",
    "noctule.core.provider_errors.classify",
    "noctule.core.provider_errors.host_zones",
    "noctule.core.times.moments",
    "noctule.core.provider_errors.overflow_words",
    "noctule.core.provider_errors.vocabulary",
    "noctule.core.provider_errors.provider_words",
    "noctule.core.provider_errors.ratelimit_header",
    "noctule.core.provider_errors.reset_names",
    "noctule.core.provider_errors.spoken_waits",
    "noctule.core.times.written_days",
    "noctule.core.times.written_times",
]
AT_ONE_PLACE = {"_SPLIT", "_JOINT", "_SEPARATORS"}
"""Matched where they stand or split by, never searched for."""


def begins_without_bound(pattern: Any) -> bool:
    """Whether a search may read on from every character, which is quadratic on a long text."""
    for kind, value in pattern:
        if kind in {sre.MAX_REPEAT, sre.MIN_REPEAT}:
            least, most, inner = value
            if most == sre.MAXREPEAT or begins_without_bound(inner):
                return True
            if least:
                return False
        elif kind is sre.SUBPATTERN:
            return begins_without_bound(value[3])
        elif kind is sre.BRANCH:
            return any(begins_without_bound(branch) for branch in value[1])
        else:
            return False
    return False


def patterns(value: object, name: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from patterns(item, name)


@pytest.mark.parametrize("module", READERS)
def test_no_pattern_reads_on_from_every_character(module: str):
    """``\\d+ hours`` searched in a row of digits reads the rest again from each of them."""
    found = vars(importlib.import_module(module)).items()
    named = [pair for name, value in found for pair in patterns(value, name)]
    slow = [
        name
        for name, pattern in named
        if name not in AT_ONE_PLACE
        and begins_without_bound(parser.parse(pattern.pattern, pattern.flags))
    ]
    assert slow == []
