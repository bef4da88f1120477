"""The codes, statuses and words providers refuse with.

Sources: the error pages of OpenAI, Anthropic, OpenRouter, Groq, Gemini, Ollama and LiteLLM and the
client libraries installed here, checked 2026-11. None was checked against a live provider.
"""

import re

from noctule.core.verdicts import (
    AUTH,
    CROWDED,
    FILTERED,
    MALFORMED,
    MISSING,
    OVERFLOW,
    OVERLOADED,
    QUOTA,
    RATE,
    SPEND_LIMIT,
    TIMEOUT,
    UNAVAILABLE,
    Verdict,
)

CODES: tuple[tuple[Verdict, frozenset[str]], ...] = (
    (
        OVERFLOW,
        frozenset(
            [
                "context_length_exceeded",
                "exceed_context_size_error",
                "context_window_exceeded",
                "contextwindowexceedederror",
                "model_context_window_exceeded",
                "request_too_large",
                "prompt_too_long",
                "model_max_prompt_tokens_exceeded",
                "max_prompt_tokens_exceeded",
                "tokens_limit_reached",
                "tokens_too_long",
                "characters_too_long",
                "1261",  # Zhipu, Z.ai
            ]
        ),
    ),
    (SPEND_LIMIT, frozenset({"enforced_spend_limit_reached"})),
    (
        QUOTA,
        frozenset(
            [
                "insufficient_quota",
                "credit_balance_exhausted",
                "organization_spend_limit_exceeded",
                "project_spend_limit_exceeded",
                "organization_usage_limit_exceeded",
                "billing_hard_limit_reached",
                "billing_not_active",
                "billing_error",
                "budget_exceeded",
                "insufficient_credits",
                "payment_required",
                "quota_exceeded",
            ]
        ),
    ),
    (
        FILTERED,
        frozenset(
            [
                "content_filter",
                "content_filtered",
                "content_policy_violation",
                "prohibited_content",
                "responsibleaipolicyviolation",
                "moderation_blocked",
            ]
        ),
    ),
    (
        AUTH,
        frozenset(
            [
                "invalid_api_key",
                "api_key_invalid",
                "authentication_error",
                "permission_error",
                "permission_denied",
                "unauthenticated",
                "unauthorized",
                "account_deactivated",
                "invalid_authentication",
                "invalid_organization",
            ]
        ),
    ),
    (
        MISSING,
        frozenset(
            ["model_not_found", "not_found_error", "deploymentnotfound", "model_decommissioned"]
        ),
    ),
    (
        MALFORMED,
        frozenset(
            [
                "tool_use_failed",
                "json_validate_failed",
                "output_parse_failed",
                "malformed_function_call",
            ]
        ),
    ),
    (
        OVERLOADED,
        frozenset(
            [
                "server_is_overloaded",
                "overloaded_error",
                "capacity_exceeded",
                "engine_overloaded",
                "server_overloaded",
                "provider_overloaded",
            ]
        ),
    ),
    (
        TIMEOUT,
        frozenset(["timeout_error", "deadline_exceeded", "request_timeout", "gateway_timeout"]),
    ),
    (CROWDED, frozenset({"slow_down"})),
)
WEAK_CODES = frozenset(
    [
        "rate_limit_exceeded",
        "rate_limit_error",
        "too_many_requests",
        "rate_limited",
        "throttling_error",
        "throttlingexception",
    ]
)
"""Codes that some providers also send when a quota is used up: the words are read first."""

CLEAR_STATUSES = {401: AUTH, 402: QUOTA, 404: MISSING, 408: TIMEOUT, 413: OVERFLOW}
STATUSES = CLEAR_STATUSES | {
    403: AUTH,
    409: UNAVAILABLE,
    425: UNAVAILABLE,
    429: RATE,
    498: OVERLOADED,
    499: UNAVAILABLE,
    504: TIMEOUT,
    524: TIMEOUT,
    529: OVERLOADED,
}


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


WORDS: tuple[tuple[Verdict, re.Pattern[str]], ...] = (
    (SPEND_LIMIT, _words("specified API usage limits")),
    (
        QUOTA,
        _words(
            r"(?:session|hourly|daily|weekly|monthly) usage limit",
            "exceeded your current quota",
            "budget has been exceeded",
            "exceeded ?budget",
            "credit balance is too low",
            "insufficient (?:credit|balance|funds)",
            "out of credits",
        ),
    ),
    (CROWDED, _words("concurrent request slot", "too many concurrent requests")),
    (
        OVERLOADED,
        _words("overloaded", "server busy", "pending requests exceeded", "at capacity"),
    ),
)
"""Words that count whatever the status, unless the status is clear by itself."""

WORDS_OF_BAD_REPLIES = _words(
    r"output that does not match the expected",
    r"(?:failed|error) (?:to parse|parsing) (?:the )?(?:tool call|function call)",
    r"failed to parse input at pos",
    r"failed to call a function",
)
WORDS_OF_BAD_REQUESTS: tuple[tuple[Verdict, re.Pattern[str]], ...] = (
    (MALFORMED, WORDS_OF_BAD_REPLIES),
    (
        FILTERED,
        _words(
            "content management policy",
            "content policy",
            "content filter",
            "flagged",
            "moderation",
            "safety system",
        ),
    ),
    (
        AUTH,
        _words(
            r"(?:incorrect|invalid|missing|expired) (?:x-)?api[- _]key",
            r"api[- _]key (?:not valid|client option must be set|is (?:invalid|missing))",
            "resolve authentication method",
            "missing credentials",
            "illegal header value",
        ),
    ),
    (
        MISSING,
        _words(
            r"\bmodel\b.{0,120}\b(?:not found|does not exist)",
            "not a valid model",
            "invalid model name",
            "try pulling it first",
        ),
    ),
)
"""Words that are read where a status says "bad request", "forbidden", "our fault" or nothing."""
