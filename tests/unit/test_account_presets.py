"""What services answered, in several of their versions, and oddly (forms checked 2026-11).

OpenRouter: openrouter.ai/docs/api/api-reference/api-keys/get-current-key, its older form in
docs.rs/crate/openrouter/0.2.0 (responses/key.json), openchamber/openchamber#3411.
LiteLLM: docs/my-website/docs/proxy/users.md and virtual_keys.md of BerriAI/litellm.
CheapestInference: docs.cheapestinference.com/api/usage.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from noctule.core.budgets.accounts import Statement, read_statement
from noctule.core.settings.account import AccountSettings

NOW = datetime(2026, 11, 18, 12, 30, tzinfo=UTC)

NEW_KEY = {
    "label": "sk-or-v1-au7...890",
    "limit": 100,
    "limit_remaining": 74.5,
    "limit_reset": "monthly",
    "usage": 25.5,
    "usage_daily": 25.5,
    "byok_usage": 17.38,
    "include_byok_in_limit": False,
    "is_free_tier": False,
    "is_management_key": False,
    "expires_at": "2027-12-31T23:59:59Z",
    "rate_limit": {"requests": 1000, "interval": "1h", "note": "This field is deprecated."},
}
OLD_KEY = {
    "label": "sk-or-v1-116...0ce",
    "limit": 5,
    "usage": 0.1015644762,
    "limit_remaining": 4.8984355238,
    "rate_limit": {"requests": 50, "interval": "10s"},
}
LITELLM: dict[str, Any] = {
    "key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
    "info": {
        "key_name": "sk-...key",
        "spend": 0.0011,
        "max_budget": 10,
        "budget_duration": "30d",
        "budget_reset_at": "2026-11-30T00:00:00+00:00",
        "expires": None,
        "models": [],
        "metadata": {},
        "tpm_limit": None,
    },
}
UNKNOWN = "unknown"
UNLIMITED = "unlimited"

ANSWERS: list[tuple[str, str, Any, Any]] = [
    ("openrouter, now", "openrouter", {"data": NEW_KEY}, "74.5"),
    ("openrouter, 2025", "openrouter", {"data": OLD_KEY}, "4.8984355238"),
    (
        "openrouter without a limit",
        "openrouter",
        {"data": {**NEW_KEY, "limit": None, "limit_remaining": None, "limit_reset": None}},
        UNLIMITED,
    ),
    (
        "openrouter overdrawn",
        "openrouter",
        {"data": {**NEW_KEY, "limit_remaining": -0.02}},
        "-0.02",
    ),
    (
        "openrouter, cents left",
        "openrouter",
        {"data": {**NEW_KEY, "limit": 30, "limit_remaining": 29.9999982}},
        "29.9999982",
    ),
    (
        "openrouter, amounts as text",
        "openrouter",
        {"data": {**NEW_KEY, "limit": "100", "limit_remaining": "74.50"}},
        "74.50",
    ),
    ("openrouter says no", "openrouter", {"error": {"message": "No auth", "code": 401}}, UNKNOWN),
    ("openrouter says nothing", "openrouter", {"data": None}, UNKNOWN),
    ("openrouter, another thing", "openrouter", {"total_credits": 0, "total_usage": 0}, UNKNOWN),
    ("litellm", "litellm", LITELLM, "9.9989"),
    (
        "litellm without a budget",
        "litellm",
        {**LITELLM, "info": {**LITELLM["info"], "max_budget": None}},
        UNLIMITED,
    ),
    (
        "litellm overdrawn",
        "litellm",
        {**LITELLM, "info": {**LITELLM["info"], "spend": 10.5}},
        "-0.5",
    ),
    (
        "litellm, a budget of nothing",
        "litellm",
        {**LITELLM, "info": {**LITELLM["info"], "max_budget": 0, "spend": 0}},
        "0",
    ),
    (
        "litellm, tiny as a power of ten",
        "litellm",
        {**LITELLM, "info": {**LITELLM["info"], "spend": 1e-07}},
        "9.9999999",
    ),
    ("litellm without info", "litellm", {"detail": {"error": "key not found"}}, UNKNOWN),
    ("litellm, info of nobody", "litellm", {"key": "x", "info": None}, UNKNOWN),
    ("litellm, spent below nothing", "litellm", {"info": {"max_budget": 1, "spend": -1}}, UNKNOWN),
    (
        "litellm's user",
        "litellm-user",
        {
            "user_id": "u",
            "user_info": {"max_budget": 20.0, "spend": 5.25, "budget_reset_at": None},
            "keys": [],
        },
        "14.75",
    ),
    (
        "litellm's user without a budget",
        "litellm-user",
        {"user_info": {"max_budget": None, "spend": 5.25}},
        UNLIMITED,
    ),
    ("litellm's nobody", "litellm-user", {"user_id": None, "user_info": None}, UNKNOWN),
    ("litellm, an empty user", "litellm-user", {"user_info": {}}, UNKNOWN),
    (
        "cheapestinference",
        "cheapestinference",
        {"budget": {"limit": 5, "spent": 1.25, "resets_at": "2026-11-18T15:00:00Z"}},
        "3.75",
    ),
    (
        "cheapestinference without a limit",
        "cheapestinference",
        {"budget": {"limit": None, "spent": 1.25, "resets_at": None}},
        UNLIMITED,
    ),
    ("cheapestinference, spent unknown", "cheapestinference", {"budget": {"limit": 5}}, UNKNOWN),
    ("cheapestinference, a list", "cheapestinference", {"budget": [5, 1]}, UNKNOWN),
]
"""What it is, whose preset reads it, the answer, and what is left."""

ODD = (
    b"",
    b"null",
    b"[]",
    b"0",
    b'"ok"',
    b"<!doctype html><title>404</title>",
    b'{"data": {"limit_remaining": NaN}}',
    b'{"data": {"limit_remaining": true, "limit": 5}}',
    b'{"data": {"limit_remaining": {"usd": 3}, "limit": 5}}',
    b'{"data": {"limit_remaining": [3], "limit": 5}}',
    b'{"data": {"limit_remaining": "lots", "limit": 5}}',
    b'{"data": {"limit_remaining": "3,50", "limit": 5}}',
    b'{"data": "limit_remaining"}',
    b"\xff\xfe{}",
    b"[" * 100_000,
)
"""What says nothing of what is left to OpenRouter's preset."""


def read(preset: str, body: bytes) -> Statement:
    settings = AccountSettings.model_validate({"preset": preset})
    return read_statement(body, settings.paths, NOW)


def left(preset: str, body: bytes) -> str | Decimal:
    try:
        said = read(preset, body)
    except ValueError:
        return UNKNOWN
    if said.unlimited:
        return UNLIMITED
    assert said.left_usd is not None
    return said.left_usd


def test_what_services_answer_is_read_as_they_mean_it() -> None:
    """Each preset over its versions: what is left, no limit, or unknown; never a guess."""
    wrong = []
    for what, preset, document, expected in ANSWERS:
        got = left(preset, json.dumps(document).encode())
        wanted = expected if expected in {UNKNOWN, UNLIMITED} else Decimal(expected)
        if got != wanted:
            wrong.append((what, got, wanted))
    assert not wrong


def test_what_says_nothing_is_unknown() -> None:
    """Errors, pages, numbers that are none: our own budgets count, and nothing breaks."""
    assert [body[:40] for body in ODD if left("openrouter", body) != UNKNOWN] == []


def test_resets_are_read_in_the_words_of_each_service() -> None:
    """A word of OpenRouter's, moments of the others; none where there is none."""
    said = [
        read("openrouter", json.dumps({"data": NEW_KEY}).encode()).resets_at,
        read("openrouter", json.dumps({"data": OLD_KEY}).encode()).resets_at,
        read("litellm", json.dumps(LITELLM).encode()).resets_at,
    ]
    assert said == [
        datetime(2026, 12, 1, tzinfo=UTC),
        None,
        datetime(2026, 11, 30, tzinfo=UTC),
    ]
