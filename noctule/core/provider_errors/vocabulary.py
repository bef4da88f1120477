"""The codes, statuses and words providers refuse with.

Sources: the error pages of OpenAI, Anthropic, OpenRouter, Groq, Gemini, Ollama and LiteLLM and the
client libraries installed here, checked 2026-11. None was checked against a live provider.
"""

import re

from noctule.core.provider_errors.error_classes import (
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
    ErrorClass,
)

CODES: tuple[tuple[ErrorClass, frozenset[str]], ...] = (
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
                "1261",
                "string_above_max_length",
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
                "usage_limit_reached",
                "usage_limit_exceeded",
                "exceeded_current_quota_error",
                "access_terminated_error",
                "insufficient_balance",
                "insufficient_balance_error",
                "free_quota_exceeded",
                "personal-team-blocked:spending-limit",
                "credits_exhausted",
                "out_of_credits",
                "credit_limit_reached",
                "key_limit_exceeded",
                "spend_limited",
                "account_overdue",
                "accountoverdueerror",
                "arrearage",
                "prepaidbilloverdue",
                "postpaidbilloverdue",
                "commoditynotpurchased",
                "allocationquota.freetieronly",
                "quota_exhausted",
                "openrouter_free_tier_daily",
                "1113",
                "1304",
                "1308",
                "1309",
                "1310",
                "1008",
                "2056",
                "4006",
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
                "data_inspection_failed",
                "datainspectionfailed",
                "sensitive_words_detected",
                "1301",
                "1026",
                "1027",
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
                "unauthenticated",
                "unauthorized",
                "account_deactivated",
                "invalid_authentication",
                "invalid_organization",
                "invalid_authentication_error",
                "incorrect_api_key_error",
                "invalidapikey",
                "unrecognizedclientexception",
                "expiredtokenexception",
                "invalidsignatureexception",
                "1110",
                "1111",
                "1112",
                "1121",
                "2049",
            ]
        ),
    ),
    (
        MISSING,
        frozenset(
            [
                "model_not_found",
                "not_found_error",
                "deploymentnotfound",
                "model_decommissioned",
                "model_not_supported",
                "model_not_available",
                "invalid_model",
                "unknown_model",
                "model_not_found_error",
                "resource_not_found_error",
                "resourcenotfoundexception",
                "modelnotfound",
                "model_access_denied",
                "1211",
                "1311",
            ]
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
                "engine_overloaded_error",
                "serveroverloaded",
                "model_overloaded",
                "model_capacity_exhausted",
                "no_capacity",
                "nocapacity",
                "queue_exceeded",
                "modelnotreadyexception",
                "overloaded",
                "1305",
                "1312",
                "3505",
            ]
        ),
    ),
    (
        TIMEOUT,
        frozenset(["timeout_error", "deadline_exceeded", "request_timeout", "gateway_timeout"]),
    ),
    (
        CROWDED,
        frozenset(
            [
                "slow_down",
                "credit_unresolved",
                "throttling.concurrency",
                "throttling.burstrate",
                "limit_burst_rate",
                "concurrency_limit_exceeded",
                "1302",  # Zhipu, Z.ai
            ]
        ),
    ),
)
_RATE_CODES = frozenset(
    [
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limit_reached_error",
        "rate_limit",
        "rate_limited",
        "ratelimitreached",
        "ratelimitexceeded",
        "too_many_requests",
        "too_many_requests_error",
        "throttling_error",
        "throttling",
        "throttling.ratequota",
        "throttling.allocationquota",
        "throttlingexception",
        "servicequotaexceededexception",
        "limit_requests",
        "limitrequests",
        "rpm_rate_limit_exceeded",
        "tpm_rate_limit_exceeded",
        "request_limit_exceeded",
        "user_global_rate_limited",
        "user_model_rate_limited",
        "user_weekly_rate_limited",
        "integration_rate_limited",
        "freeusagelimiterror",
        "1303",  # Zhipu, Z.ai
        "1002",  # MiniMax, requests
        "1039",  # MiniMax, tokens
    ]
)
_PERMISSION_CODES = frozenset(
    [
        "permission_error",
        "permission_denied",
        "permission_denied_error",
        "access_denied",
        "accessdeniedexception",
        "forbidden",
    ]
)
WEAK_CODES: tuple[tuple[ErrorClass, frozenset[str]], ...] = (
    (RATE, _RATE_CODES),
    (AUTH, _PERMISSION_CODES),
)
"""Codes that some providers also send when a quota is used up: the words are read first."""

CLEAR_STATUSES = {401: AUTH, 402: QUOTA, 404: MISSING, 408: TIMEOUT, 413: OVERFLOW}
STATUSES = CLEAR_STATUSES | {
    403: AUTH,
    409: UNAVAILABLE,
    412: QUOTA,  # Portkey: the budget; Fireworks: suspended
    425: UNAVAILABLE,
    429: RATE,
    446: FILTERED,  # Portkey: a guardrail
    498: OVERLOADED,
    499: UNAVAILABLE,
    504: TIMEOUT,
    524: TIMEOUT,
    529: OVERLOADED,
}


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_MONEY_WORDS = _words(
    "exceeded your current quota",
    r"budget (?:has been |is |limit )?(?:exceeded|exhausted|reached|full)",
    "exceeded ?budget",
    r"(?:credit |account )?balance (?:is )?(?:too low|insufficient|not enough|exhausted|depleted)",
    r"insufficient (?:account )?(?:credits?|balance|funds|quota)",
    "not_enough_balance",
    r"(?:run |ran )?out of credits?",
    r"used all available credits",
    r"credits? (?:have been |has been |are |is )?(?:exhausted|depleted|used up)",
    "monthly included credits",
    r"(?:spend|spending|hard) limit",
    r"payment is past due|payment required",
    "余额不足|余额已用|欠费|额度不足|额度已用|账户已停用",
)
_SPAN = (
    r"(?:usage|session|plan|hourly|daily|weekly|monthly|opus|sonnet"
    r"|\d{1,3}[- ]?hours?|\d{1,3}-day\)?)"
)
_USAGE_WORDS = _words(
    r"(?:session|hourly|daily|weekly|monthly) usage limit",
    rf"{_SPAN} (?:usage )?(?:limit|quota)s? (?:has been |have been |was |is )?"
    r"(?:reached|exceeded|exhausted|hit)\b",
    r"(?:hit|reached|exceeded|exhausted|used up) (?:your |the |its )?"
    r"(?:(?!rate|call|request|token|context|max)[\w()/-]{1,20} ){0,4}?"
    rf"{_SPAN} (?:usage )?(?:limit|quota)",
    r"limit exhausted",
    r"your (?:limit|quota) will reset",
    r"(?:hit|reached) your limit\b",
    r"out of (?:extra )?usage\b",
    r"limited to [\d,]+ (?:API )?calls ?/ ?month",
    r"(?:individual|free|plan|included) quota (?:reached|used|exceeded|exhausted)",
    r"daily free allocation",
    "使用上限|用量上限|次数限额|套餐已到期|套餐用量",
)
WORDS: tuple[tuple[ErrorClass, re.Pattern[str]], ...] = (
    (SPEND_LIMIT, _words("specified API usage limits")),
    (
        CROWDED,
        _words(
            "concurrent request slot",
            "too many concurrent requests",
            r"concurrency (?:limit|is)",
            r"concurrent (?:session|request|connection|stream)s? (?:limit|exceeded)",
            r"(?:max )?parallel request limit",
            "并发数?(?:过高|超)",
        ),
    ),
    (QUOTA, _MONEY_WORDS),
    (QUOTA, _USAGE_WORDS),
    (
        OVERLOADED,
        _words(
            "overloaded",
            "(?:server|service) (?:is )?(?:too )?busy",
            "pending requests exceeded",
            "(?:at|over|no) capacity",
            "capacity (?:is |temporarily )?exceeded",
            r"(?:experiencing|under) (?:unusually )?(?:high|heavy) (?:demand|load|traffic)",
            "访问量过大|繁忙|负载过高",
        ),
    ),
    (
        RATE,
        _words(
            r"rate[- ]?limit",
            "too many requests",
            "requests? (?:rate )?is too high",
            "请求(?:频率|过于频繁|速率)|速率限制|频率过高|限流|访问频繁",
        ),
    ),
)
"""Words that count whatever the status, unless the status is clear by itself."""

PER_DAY = _words(
    r"per[- _]?day", r"/\s?day", r"\bdaily\b", r"\b(?:RPD|TPD)\b", "byday", "每天|每日|今日|当日"
)
"""Words that say that a day's share is used up."""

WORDS_OF_BAD_REPLIES = _words(
    r"output that does not match the expected",
    r"(?:failed|error) (?:to parse|parsing) (?:the )?(?:tool call|function call)",
    r"failed to parse input at pos",
    r"failed to call a function",
)
WORDS_OF_BAD_REQUESTS: tuple[tuple[ErrorClass, re.Pattern[str]], ...] = (
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
