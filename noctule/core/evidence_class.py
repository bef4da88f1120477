"""Which class a provider's refusal belongs to: its codes first, then its words and its status."""

import re
from dataclasses import replace
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from noctule.core.answers import RawAnswer
from noctule.core.overflow_words import says_overflow
from noctule.core.provider_vocabulary import (
    CLEAR_STATUSES,
    CODES,
    STATUSES,
    WEAK_CODES,
    WORDS,
    WORDS_OF_BAD_REQUESTS,
)
from noctule.core.verdicts import (
    BAD_REQUEST,
    CROWDED,
    OVERFLOW,
    OVERLOADED,
    QUOTA,
    RATE,
    RENEWALS,
    UNAFFORDABLE,
    UNAVAILABLE,
    Verdict,
)
from noctule.core.windows import CalendarUnit, Window, WindowKind

_AFFORDABLE = re.compile(
    r"fewer max_tokens\b(?:.{0,120}?can only afford (\d[\d,]{0,11}))?", re.IGNORECASE | re.DOTALL
)
_NO_QUOTA = re.compile(r"\blimit:\s*0(?!\d|\.\d)", re.IGNORECASE)


def classify(answer: RawAnswer) -> Verdict:
    """Say what a refusal is; what nothing recognises counts as ``unavailable``.

    Source: the formats table in the providers' documentation, checked 2026-11.
    """
    judges = (_by_openrouter, _by_context, _by_gemini, _by_code, _by_words, _by_status)
    return next((v for v in (judge(answer) for judge in judges) if v is not None), UNAVAILABLE)


def affordable_tokens(answer: RawAnswer) -> int | None:
    """Return the largest answer that the money left pays for, in tokens; None when nobody said."""
    found = _AFFORDABLE.search(answer.words)
    return int(re.sub(r"\D", "", found[1])) if found and found[1] else None


def _by_openrouter(answer: RawAnswer) -> Verdict | None:
    codes = answer.codes
    if "weight_exceeds_budget" in codes or _AFFORDABLE.search(answer.words):
        return UNAFFORDABLE
    if "openrouter_in_flight_budget" in codes:
        return replace(CROWDED, account_wide=True)
    if "openrouter_key_limit" in codes:
        rhythm = next((str(v).lower() for v in answer.values("limit_reset")), "")
        return replace(QUOTA, renews=RENEWALS.get(rhythm))
    return replace(QUOTA, needs_person=True) if "openrouter_credits" in codes else None


def _by_context(answer: RawAnswer) -> Verdict | None:
    """Catch requests that are too big for ever, some of which call themselves rate limits."""
    status = answer.effective_status
    if status == 413:  # noqa: PLR2004 - Content Too Large; Groq: more than a minute's tokens at once
        return OVERFLOW
    readable = status not in CLEAR_STATUSES
    return OVERFLOW if readable and says_overflow(answer.words) else None


def _by_gemini(answer: RawAnswer) -> Verdict | None:
    quotas = [str(value) for value in answer.values("quotaId")]
    exhausted = "resource_exhausted" in answer.codes
    if not quotas and not exhausted and answer.effective_status != 429:  # noqa: PLR2004 - Too Many Requests
        return None
    shared = not any("PerModel" in quota for quota in quotas)
    if _NO_QUOTA.search(answer.words):
        return replace(
            QUOTA, account_wide=shared, needs_person=True, note="this key has no quota at all"
        )
    if any("PerDay" in quota for quota in quotas):
        day = Window(WindowKind.ALIGNED, CalendarUnit.DAY, timezone=_pacific())
        return replace(QUOTA, account_wide=shared, renews=day)
    return RATE if quotas or exhausted else None


def _by_code(answer: RawAnswer) -> Verdict | None:
    return next((verdict for verdict, codes in CODES if codes & answer.codes), None)


def _by_words(answer: RawAnswer) -> Verdict | None:
    status = answer.effective_status
    if status in CLEAR_STATUSES:
        return None
    tables = [*WORDS]
    if status in {400, 403, 422, 500, None} and not WEAK_CODES & answer.codes:
        tables = [*WORDS_OF_BAD_REQUESTS, *WORDS]
    found = next((verdict for verdict, words in tables if words.search(answer.words)), None)
    return found or (RATE if WEAK_CODES & answer.codes else None)


def _by_status(answer: RawAnswer) -> Verdict | None:
    status = answer.effective_status
    if status is None:
        return None
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:  # noqa: PLR2004 - the server's fault
        return OVERLOADED if answer.header("retry-after") else UNAVAILABLE
    return BAD_REQUEST


def _pacific() -> tzinfo:
    try:
        return ZoneInfo("America/Los_Angeles")
    except (ZoneInfoNotFoundError, OSError):
        return timezone(timedelta(hours=-8))  # standard time: at most an hour late, never early
