import json
from datetime import UTC, datetime, timedelta
from typing import Any

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.parse import read_refusal
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.provider_errors.refusals import Evidence, Refusal

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
IN_3_HOURS = NOW + timedelta(hours=3)
EPOCH = int(IN_3_HOURS.timestamp())

IN_BODIES: list[tuple[dict[str, Any], float]] = [
    # what stands beside a sentence without a time, and the seconds it means
    ({"retry_after": 64}, 64),
    ({"retry_after": "64"}, 64),
    ({"retryAfter": 64.5}, 64.5),
    ({"retry_after_ms": 64000}, 64),
    ({"retryAfterMs": "64000"}, 64),
    ({"retry_after_seconds": 64}, 64),
    ({"retryDelay": "10h17m5.7s"}, 37025.7),
    ({"retryDelay": {"seconds": "37", "nanos": 500}}, 37),
    ({"retry_after": "2 minutes and 3 seconds"}, 123),
    ({"retry_at": EPOCH}, 10800),
    ({"wait_seconds": 64}, 64),
    ({"resets_at": EPOCH}, 10800),
    ({"resets_at": EPOCH * 1000}, 10800),
    ({"resets_at": EPOCH * 1_000_000}, 10800),
    ({"resets_at": str(EPOCH)}, 10800),
    ({"resetsAt": IN_3_HOURS.isoformat()}, 10800),
    ({"resets_at": "Sun, 22 Nov 2026 15:00:00 GMT"}, 10800),
    ({"resets_at": "4pm (Europe/Berlin)"}, 10800),
    ({"resets_in_seconds": 10800, "resets_at": EPOCH + 7}, 10800),
    ({"reset_after": 10800}, 10800),
    ({"reset_after_ms": 10800000}, 10800),
    ({"time_until_reset": "3h"}, 10800),
    ({"reset_time": "2026-11-22 15:00:00"}, 10800),
    ({"next_reset_at": "2026-11-22T15:00:00Z"}, 10800),
    ({"quotaResetDelay": "3h0m0s", "quotaResetTimeStamp": "2026-11-22T15:00:00Z"}, 10800),
    ({"retry_after": "00:05:00"}, 300),
    ({"retry_after": "PT5M"}, 300),
    ({"resets_in": "PT1H30M"}, 5400),
    ({"retry_after_minutes": 5}, 300),
    ({"reset_in_hours": 2}, 7200),
    ({"reset": {"in_seconds": 300}}, 300),
    ({"reset": {"at": EPOCH}}, 10800),
    ({"retryInfo": {"delay": "30s"}}, 30),
    ({"retry": {"after": 30}}, 30),
    ({"blocked_until": "2026-11-22T15:00:00Z"}, 10800),
    ({"cooldown_until": EPOCH}, 10800),
    ({"limits": [{"window": {"reset_at": EPOCH}}]}, 10800),
    ({"metadata": {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": EPOCH}}}, 10800),
    ({"metadata": {"headers": {"Retry-After": "64"}}}, 64),
    ({"metadata": {"raw": json.dumps({"error": {"retry_after": 64}})}}, 64),
    ({"metadata": {"raw": json.dumps({"raw": json.dumps({"retryDelay": "64s"})})}}, 64),
    ({"metadata": {"raw": 'OpenrouterException - {"error": {"retry_after": 64}}'}}, 64),
    ({"metadata": {"raw": "Error code: 429 - {'error': {'retry_after': 64, 'param': None}}"}}, 64),
    (
        {
            "primary": {"used_percent": 100, "reset_after_seconds": 10800},
            "secondary": {"used_percent": 40, "reset_after_seconds": 600000},
        },
        10800,
    ),
    (
        {
            "primary": {"used_percent": 100, "reset_at": EPOCH},
            "secondary": {"used_percent": 100, "reset_at": EPOCH + 7200},
        },
        18000,
    ),
]
NO_TIMES: list[dict[str, Any]] = [
    {"created_at": EPOCH, "expires_at": EPOCH},
    {"limit_reset": "daily"},
    {"last_reset_at": EPOCH},
    {"password_reset_time": EPOCH},
    {"retry_count": 3, "max_retries": 5},
    {"resets_at": None},
    {"resets_at": True},
    {"resets_at": "soon"},
    {"resets_at": [EPOCH]},
    {"window_minutes": 300},
    {"primary": {"used_percent": 40, "reset_after_seconds": 600}},
]
IN_HEADERS: list[tuple[dict[str, str], float]] = [
    (
        {
            "anthropic-ratelimit-unified-status": "rejected",
            "anthropic-ratelimit-unified-reset": str(EPOCH),
            "anthropic-ratelimit-unified-overage-status": "rejected",
            "anthropic-ratelimit-unified-overage-reset": str(EPOCH + 800000),
        },
        10800,
    ),
    ({"RateLimit": '"default";r=0;t=30'}, 30),
    ({"RateLimit": '"burst";r=3;t=5, "day";r=0;t=10800'}, 10800),
    ({"RateLimit": "limit=100, remaining=0, reset=30"}, 30),
    ({"RateLimit-Remaining": "0", "RateLimit-Reset": "30"}, 30),
    ({"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": str(EPOCH)}, 10800),
    ({"x-ratelimit-user-retry-after": "64"}, 64),
    (
        {
            "x-ratelimit-remaining-requests-day": "12",
            "x-ratelimit-reset-requests-day": "33011.382867",
            "x-ratelimit-remaining-tokens-minute": "0",
            "x-ratelimit-reset-tokens-minute": "45.5",
        },
        45.5,
    ),
    (
        {
            "x-codex-primary-used-percent": "100",
            "x-codex-primary-window-minutes": "300",
            "x-codex-primary-reset-after-seconds": "10800",
            "x-codex-secondary-used-percent": "0",
            "x-codex-secondary-reset-after-seconds": "0",
        },
        10800,
    ),
    (
        {
            "x-codex-primary-used-percent": "100.0",
            "x-codex-primary-reset-at": str(EPOCH),
            "x-codex-secondary-used-percent": "80",
            "x-codex-secondary-reset-at": str(EPOCH + 90000),
        },
        10800,
    ),
    (
        {
            "anthropic-ratelimit-unified-status": "rejected",
            "anthropic-ratelimit-unified-5h-utilization": "1.0",
            "anthropic-ratelimit-unified-5h-reset": str(EPOCH),
            "anthropic-ratelimit-unified-7d-utilization": "0.45",
            "anthropic-ratelimit-unified-7d-reset": str(EPOCH + 400000),
        },
        10800,
    ),
]


def refused(
    body: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    *,
    status: int | None = 429,
    consecutive: int = 0,
    url: str = "",
) -> Refusal:
    text = "" if body is None else json.dumps(body, ensure_ascii=False)
    return read_refusal(
        ProviderResponse(status, headers or {}, text, url), now=NOW, consecutive=consecutive
    )


def waited(refusal: Refusal) -> tuple[float | None, Evidence | None]:
    told = refusal.retry_at
    return (None if told is None else (told - NOW).total_seconds(), refusal.evidence)


def test_a_time_is_found_under_its_name_however_deep_and_however_written():
    """Name and unit say what a value means; a wait goes before a moment, the empty one decides."""
    wrong = []
    for told, seconds in IN_BODIES:
        seen = waited(refused({"error": {"message": "Too fast.", **told}}))
        if seen != (seconds, Evidence.BODY):
            wrong.append((told, seen))
    assert wrong == []


def test_names_of_other_times_tell_no_wait():
    """When something was made, ends or was reset last is not when to come back."""
    seen = [(told, refused({"error": {"message": "Too fast.", **told}})) for told in NO_TIMES]
    assert [told for told, refusal in seen if refusal.evidence is not Evidence.GUESS] == []


def test_headers_of_every_kind_tell_when_the_empty_bucket_is_full():
    """A level of zero, of 100 % or of 1 makes a bucket empty; the others do not matter."""
    wrong = []
    for headers, seconds in IN_HEADERS:
        seen = waited(refused(headers=headers))
        if seen != (seconds, Evidence.HEADER):
            wrong.append((headers, seen))
    assert wrong == []


def test_of_buckets_without_a_level_the_soonest_is_asked_first():
    """Nobody says which window is used up: each refusal moves on to the next of them."""
    body = {"limits": [{"resets_at": EPOCH}, {"resets_at": EPOCH + 7200}]}
    seen = [waited(refused(body, consecutive=n))[0] for n in (0, 1, 2)]
    assert seen == [10800, 18000, 18000]


def test_the_free_day_of_openrouter_ends_when_the_body_says_or_at_midnight_utc():
    """The reset stands in headers inside the body, in a stream's error too; paid models go on."""
    error = {
        "message": "Rate limit exceeded: free-models-per-day. Add credits to unlock more.",
        "code": 429,
        "metadata": {
            "headers": {
                "X-RateLimit-Limit": "50",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(EPOCH * 1000),
            },
            "provider_name": None,
        },
    }
    for answer in (refused({"error": error}), refused({"choices": [], "error": error}, status=200)):
        assert answer.outcome is Outcome.QUOTA_EXHAUSTED
        assert waited(answer) == (10800, Evidence.BODY)
        assert not answer.account_wide
    midnight = refused(
        {"error": {"code": 429, "metadata": {"limit_source": "openrouter_free_tier_daily"}}}
    )
    assert waited(midnight) == (12 * 3600, Evidence.BODY)


def test_a_stamp_of_zhipu_is_beijing_s_with_or_without_its_host():
    """Its codes and its language tell behind a gateway; a week's reset as well as five hours'."""
    english = "Usage limit reached for 5 hour. Your limit will reset at 2026-11-22 20:35:41"
    chinese = "已达到 5 小时的使用上限。您的限额将在 2026-11-22 20:35:41 重置。"
    weekly = "Weekly/Monthly Limit Exhausted. Your limit will reset at 2026-11-26 09:00:00"
    zhipu = json.dumps({"error": {"code": "1308", "message": english}})
    gateway = f"zai: Invalid status code: 429: {zhipu}"
    seen = [
        waited(refused({"error": {"code": "1308", "message": english}}))[0],
        waited(refused({"error": {"code": "1308", "message": chinese}}))[0],
        waited(refused({"error": {"message": english}}, url="https://api.z.ai/api/paas/v4"))[0],
        waited(refused({"error": {"code": "1310", "message": weekly}}))[0],
        waited(refused({"error": {"message": gateway}}))[0],
    ]
    assert seen == [2141, 2141, 2141, 306000, 2141]


def test_a_reset_beyond_its_own_window_is_shifted_and_asked_early():
    """A stamp without a zone 8 h 35 min away for a 5 hour limit is not UTC; it says so."""
    body = {"error": {"message": "5 hour limit reached, resets at 2026-11-22 20:35:41"}}
    first, second = refused(body), refused(body, consecutive=1)
    assert waited(first) == (2141, Evidence.BODY)
    assert "read as UTC+8" in (first.note or "")
    assert waited(second)[0] == 2141 + 3600
    assert waited(refused(body, consecutive=20))[0] == 30941
    zoned = {"error": {"message": "5 hour limit reached, resets at 2026-11-22T20:35:41Z"}}
    assert waited(refused(zoned))[0] == 30941


def test_a_day_s_share_ends_at_midnight_where_the_provider_lives():
    """Pacific for Gemini, UTC for Cloudflare, Beijing for Zhipu; elsewhere tried once."""
    day = {"quota_limit": "GenerateContentRequestsPerDayPerProject", "consumer": "projects/1"}
    details = [{"reason": "RATE_LIMIT_EXCEEDED", "metadata": day}]
    gemini = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota.", "details": details}
    neurons = "you have used up your daily free allocation of 10,000 neurons"
    zhipu = {"code": "1304", "message": "该 API 已达今日调用次数限额"}
    other = {"error": {"message": "Too many tokens per day, please wait before trying again."}}
    seen = [
        waited(refused({"error": gemini})),
        waited(refused({"errors": [{"code": 4006, "message": neurons}]})),
        waited(refused({"error": zhipu})),
        waited(refused(other)),
        waited(refused(other, consecutive=1)),
    ]
    body = Evidence.BODY
    assert seen == [
        (20 * 3600, body),
        (12 * 3600, body),
        (4 * 3600, body),
        (12 * 3600, body),
        (120, Evidence.GUESS),
    ]
