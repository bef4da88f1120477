import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.parse import margin_seconds, read_refusal
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.provider_errors.refusals import Evidence
from noctule.core.times.windows import CalendarUnit, Window, WindowKind
from tests.support.refusal_cases import CASES, NOW

SECONDS = st.floats(min_value=0.001, max_value=300 * 86400, allow_nan=False)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1)).map(  # noqa: DTZ001 - hypothesis wants naive bounds
    lambda moment: moment.replace(tzinfo=UTC)
)


def limited(**headers: str) -> ProviderResponse:
    return ProviderResponse(429, {name.replace("_", "-"): value for name, value in headers.items()})


def test_every_documented_format_is_read():
    """An answer in a documented format gives its class, its wait and where the wait came from."""
    read = ((case, read_refusal(case.answer, now=NOW, window=case.window)) for case in CASES)
    assert [told for case, refusal in read if (told := case.complaint(refusal))] == []


def test_header_names_come_in_any_case():
    """Upper-case header names mean the same."""
    wrong = []
    for case in CASES:
        shouted = replace(case, headers={name.upper(): v for name, v in case.headers.items()})
        wrong.append(case.complaint(read_refusal(shouted.answer, now=NOW, window=case.window)))
    assert [told for told in wrong if told] == []


def test_the_forms_are_many_and_each_has_a_source():
    """At least 120 forms of 25 hosts, each with where it was seen and when."""
    hosts = {case.host for case in CASES}
    assert len(CASES) >= 120
    assert len(hosts) >= 25, sorted(hosts)
    assert [case.name for case in CASES if not case.source.startswith("https://")] == []
    assert all(case.checked.startswith("2026-") for case in CASES)


@given(SECONDS, MOMENTS)
def test_retry_after_in_seconds_is_added_to_now(seconds: float, now: datetime):
    """A Retry-After of so many seconds ends so many seconds from now."""
    refusal = read_refusal(limited(retry_after=f"{seconds:f}"), now=now)
    assert refusal.retry_at is not None
    assert refusal.evidence is Evidence.HEADER
    assert abs((refusal.retry_at - now).total_seconds() - seconds) < 0.001


@given(MOMENTS, st.integers(min_value=1, max_value=300 * 86400))
def test_retry_after_as_a_date_is_that_date(now: datetime, seconds: int):
    """A Retry-After that is an HTTP date ends at that date, whatever the time is now."""
    until = now.replace(microsecond=0) + timedelta(seconds=seconds)
    answer = limited(retry_after=format_datetime(until, usegmt=True))
    assert read_refusal(answer, now=now).retry_at == max(until, now)


@given(MOMENTS, st.integers(min_value=2, max_value=300 * 86400), st.integers(0, 3))
def test_a_reset_means_the_same_in_every_form(now: datetime, seconds: int, form: int):
    """Duration, RFC 3339, epoch seconds and epoch milliseconds of one moment agree to a second."""
    until = now + timedelta(seconds=seconds)
    text = [
        f"{seconds // 3600}h{seconds // 60 % 60}m{seconds % 60}s",
        until.isoformat(),
        str(int(until.timestamp())),
        str(int(until.timestamp() * 1000)),
    ][form]
    answer = limited(x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests=text)
    refusal = read_refusal(answer, now=now)
    assert refusal.retry_at is not None
    assert refusal.evidence is Evidence.HEADER
    assert abs((refusal.retry_at - until).total_seconds()) <= 1


@given(
    st.sampled_from([None, 200, 302, 400, 401, 402, 403, 413, 422, 429, 498, 500, 503, 529]),
    st.dictionaries(
        st.sampled_from(
            [
                "retry-after",
                "retry-after-ms",
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-requests",
                "anthropic-ratelimit-unified-reset",
            ]
        ),
        st.one_of(st.text(max_size=30), st.integers().map(str), st.floats().map(str)),
    ),
    st.one_of(st.text(max_size=200), st.sampled_from([case.body for case in CASES])),
    st.integers(min_value=-1, max_value=10_000),
)
def test_no_answer_is_too_odd_to_read(
    status: int | None, headers: dict[str, str], body: str, consecutive: int
):
    """Whatever comes, a refusal comes of it, and its time lies within the next 400 days."""
    refusal = read_refusal(
        ProviderResponse(status, headers, body), now=NOW, consecutive=consecutive
    )
    assert refusal.outcome is not Outcome.SUCCESS
    assert refusal.message
    assert len(refusal.message) <= 300
    assert (refusal.retry_at is None) == (refusal.evidence is None)
    if refusal.retry_at is not None:
        assert refusal.outcome.limits
        assert NOW <= refusal.retry_at <= NOW + timedelta(days=400)
    if refusal.outcome is Outcome.QUOTA_EXHAUSTED and refusal.retry_at is None:
        assert refusal.needs_person


@given(st.integers(min_value=0, max_value=10**6))
def test_guesses_double_up_to_half_an_hour(consecutive: int):
    """Without any evidence the wait doubles from one minute to thirty and says it is a guess."""
    refusal = read_refusal(ProviderResponse(429), now=NOW, consecutive=consecutive)
    assert refusal.evidence is Evidence.GUESS
    assert refusal.retry_at == NOW + timedelta(seconds=min(1800, 60 * 2 ** min(consecutive, 10)))


def test_a_time_that_was_tried_and_wrong_is_not_believed_again():
    """A reset in the past is "now" once; after the next refusal in a row the guess takes over."""
    answer = limited(retry_after="-5")
    assert read_refusal(answer, now=NOW).retry_at == NOW
    again = read_refusal(answer, now=NOW, consecutive=1)
    assert again.evidence is Evidence.GUESS
    assert again.note is not None
    assert "tried before" in again.note


def test_a_short_delay_on_a_day_quota_is_tried_once():
    """Gemini sends "37s" with a used-up day too: refused again, the sleep is until midnight."""
    body = (
        '{"error":{"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded.","details":['
        '{"violations":[{"quotaId":"RequestsPerDayPerProject"}]},{"retryDelay":"37s"}]}}'
    )
    first = read_refusal(ProviderResponse(429, body=body), now=NOW)
    assert first.retry_at == NOW + timedelta(seconds=37)
    second = read_refusal(ProviderResponse(429, body=body), now=NOW, consecutive=1)
    assert second.retry_at == datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_of_several_empty_buckets_the_last_to_fill_counts():
    """Two empty buckets have to fill both; a full one with a later reset does not matter."""
    answer = limited(
        x_ratelimit_remaining_requests="0",
        x_ratelimit_reset_requests="5s",
        x_ratelimit_remaining_tokens="0",
        x_ratelimit_reset_tokens="50s",
        x_ratelimit_remaining_images="3",
        x_ratelimit_reset_images="500s",
    )
    assert read_refusal(answer, now=NOW).retry_at == NOW + timedelta(seconds=50)


def test_a_plain_503_is_an_outage_and_one_with_a_time_is_a_limit():
    """A server that says when to come back is overloaded; one that does not is unavailable."""
    assert read_refusal(ProviderResponse(503), now=NOW).outcome is Outcome.UNAVAILABLE
    for told in (
        ProviderResponse(503, {"Retry-After": "9"}),
        ProviderResponse(503, body='{"error": {"message": "unavailable", "retry_after": 9}}'),
        ProviderResponse(500, body='{"error": {"message": "Busy. Please retry after 9 seconds."}}'),
    ):
        refusal = read_refusal(told, now=NOW)
        assert (refusal.outcome, refusal.retry_at) == (
            Outcome.OVERLOADED,
            NOW + timedelta(seconds=9),
        )


def test_a_window_speaks_where_the_provider_does_not():
    """A rate limit without a time lasts as long as the endpoint's window says."""
    window = Window(WindowKind.ALIGNED, CalendarUnit.DAY)
    refusal = read_refusal(ProviderResponse(429), now=NOW, window=window)
    assert refusal.evidence is Evidence.WINDOW
    assert refusal.retry_at == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 5.289s.", 5.289),
        ("Please retry in 10h17m5s.", 37025),
        ("Try again in 20 seconds", 20),
        ("wait 2 minutes and 30 seconds", 150),
        ("Limit resets in 1 hour 5 mins.", 3900),
        ("retry after 250 milliseconds", 0.25),
        ("available again in about 2 days", 172800),
        ("You will regain access on 2026-11-23 at 00:00 UTC.", 43200),
        ("Try again at 2026-11-22T13:00:00.5+01:00.", 0),
        ("It resets on November 23, 2026.", 43200),
        ("access is back; try again after Nov 23rd 2026, 06:30 UTC", 66600),
        ("until 2026-11-22 12:01", 60),
        ("retry in 2 months", 61 * 86400),
        ("You've hit your session limit · resets 3:30pm (Europe/Berlin)", 2.5 * 3600),
        ("5-hour limit reached ∙ resets 3pm (America/Bogota)", 8 * 3600),
        ("Resets Nov 25 at 12pm (Asia/Singapore)", (2 * 24 + 16) * 3600),
        ("weekly limit reached, resets Monday 9am (UTC)", 21 * 3600),
        ("Access resets at 10:57 PM GMT-3.", (13 * 60 + 57) * 60),
        ("Free quota used (30 requests / 5h). Resets at 10:00 UTC. Top up", 22 * 3600),
        ("limit reached, resets at 2026-11-22T15:00:00Z (2056)", 3 * 3600),
        ("or try again in 2 days 17 hours 14 minutes.", 234840),
        ("Upgrade, or try again at Nov 30th, 2026 3:05 PM.", 8 * 86400 + 11100),
        ("Claude AI usage limit reached|1795359600", 3 * 3600),
        ("Please wait 71 minutes before trying again.", 4260),
        ("wait 6 seconds for your limit to reset", 6),
        ("Your quota will reset after 10h17m5s.", 37025),
        ("try again in ~45 min.", 2700),
        ("Please wait for it to reset on Monday, November 23 at 5:00 PM.", 29 * 3600),
        ("Your limits reset when your monthly cycle ends on 12/5/2026.", 12.5 * 86400),
        ("Monthly usage limit reached, resets on the 1st.", 8.5 * 86400),
        ("Daily limit reached. Try again tomorrow.", 12 * 3600),
        ("Daily quota exceeded. Quota resets at midnight Pacific Time.", 20 * 3600),
        ("You're out of extra usage · resets 3pm (Europe/Berlin)", 7200),
        ("请在 30 秒后重试", 30),
        ("请求过于频繁，请5分钟后再试", 300),  # noqa: RUF001 - as it is written there
        ("将于2026年11月22日20:35重置", 2100),
        ("额度已用完。请于今天 22:00 后重试", 7200),
        ("レート制限に達しました。30秒後に再試行してください。", 30),
        ("요청이 너무 많습니다. 30초 후에 다시 시도하세요.", 30),
        ("Bitte versuchen Sie es in 30 Sekunden erneut.", 30),
        ("Veuillez réessayer dans 2 minutes.", 120),
        ("请等待2分钟3秒后再试", 123),
        ("您的限额将在 2026-11-22 20:35:41 重置。", 2141),
        ("resets 11:30am (UTC)", -1800),
    ],
)
def test_waits_are_found_in_sentences(words: str, seconds: float):
    """Durations and dates in a provider's sentence count as evidence from the body."""
    refusal = read_refusal(ProviderResponse(429, body=f'{{"error": "{words}"}}'), now=NOW)
    assert refusal.evidence is Evidence.BODY
    assert refusal.retry_at == NOW + timedelta(seconds=max(0, seconds))


@pytest.mark.parametrize(
    "words",
    ["Try again later.", "retry in 2 moons", "Used 5000 of 6000", "resets on Monday 5 2026"],
)
def test_sentences_without_a_time_give_none(words: str):
    """Words that only look like a time leave the wait a guess."""
    refusal = read_refusal(ProviderResponse(429, body=f'{{"error": "{words}"}}'), now=NOW)
    assert refusal.evidence is Evidence.GUESS


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcdEFGH1234567890",
        "sk-ant-api03-AbC_def-123456789",
        "gsk_abcdefgh12345678",
        "AIzaSyA1234567890abcdefghijk",
        "0123456789abcdef0123456789abcdef",
        "123456789:AAHfGh12345678901234567890123456789",
    ],
)
@pytest.mark.parametrize("sentence", ["Bad key {}.", "key={}", "Authorization: Bearer {}", "{}"])
def test_keys_never_reach_a_message(key: str, sentence: str):
    """What looks like an API key is masked in the provider's words."""
    text = sentence.format(key) + " x" * 500
    refusal = read_refusal(ProviderResponse(401, body=text), now=NOW)
    assert key[4:] not in refusal.message
    assert "***" in refusal.message
    assert len(refusal.message) <= 300


def test_ordinary_words_are_not_masked():
    """Names of models and quotas and request ids stay readable."""
    words = (
        "model meta-llama-3-1-405b-instruct-turbo: request req_011CSHoEeqs5C35K2UUqR7Fy of "
        "GenerateRequestsPerMinutePerProjectPerModel-FreeTier, Invalid API key: please check"
    )
    assert read_refusal(ProviderResponse(400, body=words), now=NOW).message == words


def test_nested_bodies_are_opened():
    """The upstream's error that a gateway hands on as a string of JSON is read too."""
    body = (
        '{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":'
        '"{\\"error\\":{\\"message\\":\\"out of quota\\",\\"code\\":\\"insufficient_quota\\"}}"}}}'
    )
    refusal = read_refusal(ProviderResponse(429, body=body), now=NOW)
    assert refusal.outcome is Outcome.QUOTA_EXHAUSTED
    assert refusal.message == "Provider returned error: out of quota"


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"error":' * 50_000, "x" * 2_000_000, "{}", "null"]
)
def test_monstrous_bodies_are_survived(body: str):
    """Bodies nested without end, huge or empty of meaning still give a refusal."""
    assert read_refusal(ProviderResponse(500, body=body), now=NOW).outcome is Outcome.UNAVAILABLE


@given(st.floats(min_value=-1e6, max_value=1e9))
def test_margins_stay_between_a_second_and_a_minute(wait: float):
    """The margin is 5 % of the wait within its bounds."""
    assert margin_seconds(wait) == min(60.0, max(1.0, 0.05 * max(wait, 0.0)))


WRITTEN_WAITS = {
    "rate limited (retry_after=30)": 30,
    "Rate limited. Retry-After: 30": 30,
    "Slow down, retry-after-ms=1500": 1.5,
    "Retry after seconds: 30": 30,
    "API key in cooldown: 300 seconds remaining": 300,
    "You are blocked for the next 10 minutes": 600,
    "Please wait 5 more minutes": 300,
    "Please wait 10-20 seconds": 20,
    "Rate limited. Time until reset: 01:30:00": 5400,
    "Rate limited, resets in 0:02:30.": 150,
    "Слишком много запросов. Повторите попытку через 30 секунд.": 30,
    "Por favor, espere 20 segundos antes de volver a intentarlo.": 20,
    "Aguarde 45 segundos e tente novamente.": 45,
    "請求過於頻繁，請於 30 秒後重試": 30,  # noqa: RUF001 - as it is written
    f"API rate limit exceeded, reset at {int(NOW.timestamp()) + 77}": 77,
    f"Rate limited until {int(NOW.timestamp() * 1000) + 77_000}": 77,
}


def test_waits_in_more_sentences():
    """Named values, lengths with colons, ranges, epochs and further languages are read."""
    wrong: dict[Any, Any] = {}
    for words, seconds in WRITTEN_WAITS.items():
        refusal = read_refusal(ProviderResponse(429, body=json.dumps({"error": words})), now=NOW)
        at = refusal.retry_at
        wait = None if at is None else (at - NOW).total_seconds()
        if wait is None or abs(wait - seconds) > 0.01:
            wrong[words] = wait
    assert wrong == {}


def test_values_that_are_no_waits_stay_out():
    """A count of attempts, a list of people, a version and a key's last year tell no wait."""
    for words in (
        "retry count: 3, retries: 5, max_retries=2, retry-attempt=3",
        "waitlist: 3000 people",
        "retry-after: 1.2.3",
        "Key valid until: 2027",
        "request 1795341630 failed",
    ):
        refusal = read_refusal(ProviderResponse(429, body=json.dumps({"error": words})), now=NOW)
        assert refusal.evidence is Evidence.GUESS, words


def test_a_weekday_just_over_is_tried_once_and_then_waited_for():
    """On the day itself: at once, since clocks differ; refused again, it is next week's."""
    answer = ProviderResponse(429, body="Weekly limit reached. Resets Sunday 9am UTC")
    first, second = (read_refusal(answer, now=NOW, consecutive=tried) for tried in (0, 1))
    assert first.retry_at == NOW
    assert second.retry_at == datetime(2026, 11, 29, 9, tzinfo=UTC)
    assert not second.needs_person


def test_a_provider_a_little_late_is_asked_again_soon():
    """Minutes after the time it told it is asked in some minutes, not in a day, nor a person."""
    answer = ProviderResponse(429, body="You've hit your session limit, resets 12pm (UTC)")
    soon = [
        read_refusal(answer, now=NOW + timedelta(minutes=minutes), consecutive=tried)
        for minutes, tried in ((0, 1), (2, 2), (6, 3))
    ]
    waits = [(r.retry_at - NOW).total_seconds() / 60 for r in soon if r.retry_at]
    assert waits == [2, 6, 14]
    assert not any(refusal.needs_person for refusal in soon)
    late = read_refusal(answer, now=NOW + timedelta(minutes=16), consecutive=4)
    assert late.retry_at == NOW + timedelta(days=1)


def test_a_header_that_came_twice_is_the_longer_wait():
    """Proxies join a repeated header with a comma."""
    refusal = read_refusal(limited(retry_after="30, 45"), now=NOW)
    assert refusal.retry_at == NOW + timedelta(seconds=45)


def test_an_error_among_other_values_is_found():
    """A refusal whose body is a stream, or several lines of JSON, tells its time as well."""
    for body in (
        'data: {"id": "x"}\n\ndata: {"error": {"message": "slow", "retry_after": 7}}\n\n',
        '{"error": {"message": "slow", "retry_after": 7}}\n{"done": true}',
        'event: error\ndata: {"error": {"message": "slow", "retry_after": 7}} } trailing',
    ):
        refusal = read_refusal(ProviderResponse(429, body=body), now=NOW)
        assert refusal.retry_at == NOW + timedelta(seconds=7), body
