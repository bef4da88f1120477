"""Which class a provider's refusal belongs to: its codes first, then its words and its status."""

import re
from dataclasses import replace
from datetime import UTC, datetime

from noctule.core.provider_errors.error_classes import (
    BAD_REQUEST,
    CROWDED,
    OVERFLOW,
    OVERLOADED,
    QUOTA,
    RATE,
    RENEWALS,
    UNAFFORDABLE,
    UNAVAILABLE,
    ErrorClass,
)
from noctule.core.provider_errors.host_zones import pacific, zone_of
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.overflow_words import says_overflow
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.provider_errors.reset_names import ResetMeaning, understand
from noctule.core.provider_errors.spoken_waits import spoken_waits
from noctule.core.provider_errors.vocabulary import (
    CLEAR_STATUSES,
    CODES,
    PER_DAY,
    STATUSES,
    WEAK_CODES,
    WORDS,
    WORDS_OF_BAD_REQUESTS,
)
from noctule.core.times.windows import CalendarUnit, Window, WindowKind

_AFFORDABLE = re.compile(
    r"fewer max_tokens\b(?:.{0,120}?can only afford (\d[\d,]{0,11}))?"
    r"|prompt tokens limit exceeded: \d+ > \d+",
    re.IGNORECASE | re.DOTALL,
)
_FREE_DAY = re.compile(r"free-models-per-day", re.IGNORECASE)
_DAYS_IN_UTC = re.compile(r"daily free allocation of [\d,]+ neurons", re.IGNORECASE)
_DASHSCOPE = re.compile(r"aliyuncs\.com|help\.aliyun\.com|alibabacloud\.com", re.IGNORECASE)
_GOOGLE_MONEY = re.compile(
    r"credits? (?:are|is|have been) depleted|individual quota", re.IGNORECASE
)
_QUOTA_NAMES = ("quotaId", "quota_id", "quota_limit", "quotaLimit")
_DAY_CODES = frozenset({"1304"})
_ENDED_CODES = frozenset({"1309", "1113", "arrearage", "prepaidbilloverdue", "postpaidbilloverdue"})
_MOST_NAMES = 500
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_NO_QUOTA = re.compile(r"\blimit:\s*0(?!\d|\.\d)", re.IGNORECASE)


def classify(answer: ProviderResponse) -> ErrorClass:
    """Say what a refusal is; what nothing recognises counts as ``unavailable``.

    Source: the forms in tests/fixtures/refusals, each with its own, checked 2026-11.
    """
    judges = (_by_openrouter, _by_context, _by_google, _by_code, _by_words, _by_status)
    found = next((v for v in (judge(answer) for judge in judges) if v is not None), UNAVAILABLE)
    return _by_the_day(answer, found)


def _by_the_day(answer: ProviderResponse, verdict: ErrorClass) -> ErrorClass:
    """Add the calendar of a day's share to a refusal that says it is used up."""
    limited = verdict.outcome in {Outcome.RATE_LIMITED, Outcome.QUOTA_EXHAUSTED}
    if not limited or verdict.needs_person or verdict.renews is not None:
        return verdict
    if not PER_DAY.search(answer.words) and not answer.codes & _DAY_CODES:
        return verdict
    zone = UTC if _DAYS_IN_UTC.search(answer.words) else zone_of(answer)
    day = Window(WindowKind.ALIGNED, CalendarUnit.DAY, timezone=zone or UTC)
    return replace(verdict, renews=day, renews_surely=zone is not None)


def affordable_tokens(answer: ProviderResponse) -> int | None:
    """Return the largest answer that the money left pays for, in tokens; None when nobody said."""
    found = _AFFORDABLE.search(answer.words)
    return int(re.sub(r"\D", "", found[1])) if found and found[1] else None


def _by_openrouter(answer: ProviderResponse) -> ErrorClass | None:
    codes = answer.codes
    if "weight_exceeds_budget" in codes or _AFFORDABLE.search(answer.words):
        return UNAFFORDABLE
    if "openrouter_free_tier_daily" in codes or _FREE_DAY.search(answer.words):
        return replace(QUOTA, account_wide=False, renews=RENEWALS["daily"])  # the free models'
    if "openrouter_in_flight_budget" in codes:
        return replace(CROWDED, account_wide=True)
    if "openrouter_key_limit" in codes:
        rhythm = next((str(v).lower() for v in answer.values("limit_reset")), "")
        return replace(QUOTA, renews=RENEWALS.get(rhythm))
    return replace(QUOTA, needs_person=True) if "openrouter_credits" in codes else None


def _by_context(answer: ProviderResponse) -> ErrorClass | None:
    """Catch requests that are too big for ever, some of which call themselves rate limits."""
    status = answer.effective_status
    if status == 413:  # noqa: PLR2004 - Content Too Large; Groq: more than a minute's tokens at once
        return OVERFLOW
    readable = status not in CLEAR_STATUSES
    return OVERFLOW if readable and says_overflow(answer.words) else None


def _by_google(answer: ProviderResponse) -> ErrorClass | None:
    """Read google.rpc's details: Gemini, Vertex, Code Assist; also behind gateways."""
    quotas = [str(v) for name in _QUOTA_NAMES for v in answer.values(name)]
    exhausted = "resource_exhausted" in answer.codes
    if not quotas and not exhausted and answer.effective_status != 429:  # noqa: PLR2004 - Too Many Requests
        return None
    shared = not any("PerModel" in quota for quota in quotas)
    if _NO_QUOTA.search(answer.words) or "0" in map(str, answer.values("quota_limit_value")):
        return replace(
            QUOTA, account_wide=shared, needs_person=True, note="this key has no quota at all"
        )
    told = " ".join([*quotas, answer.words if exhausted else ""])
    if (quotas or exhausted) and PER_DAY.search(told):
        day = Window(WindowKind.ALIGNED, CalendarUnit.DAY, timezone=pacific())
        return replace(QUOTA, account_wide=shared and bool(quotas), renews=day)
    if exhausted:
        return _exhausted(answer)
    return RATE if quotas else None


def _exhausted(answer: ProviderResponse) -> ErrorClass:
    """Tell apart what Google calls RESOURCE_EXHAUSTED, beyond the quotas it names."""
    if "model_capacity_exhausted" in answer.codes:
        return OVERLOADED
    if _GOOGLE_MONEY.search(answer.words):
        return replace(QUOTA, needs_person=True)
    return replace(QUOTA, account_wide=False) if "quota_exhausted" in answer.codes else RATE


def _by_code(answer: ProviderResponse) -> ErrorClass | None:
    if "insufficient_quota" in answer.codes and _DASHSCOPE.search(f"{answer.host} {answer.words}"):
        return RATE  # a minute's tokens, under the name that others give to an empty account
    if answer.codes & _ENDED_CODES:
        return replace(QUOTA, needs_person=True)
    return next((verdict for verdict, codes in CODES if codes & answer.codes), None)


def _by_words(answer: ProviderResponse) -> ErrorClass | None:
    status = answer.effective_status
    if status in CLEAR_STATUSES:
        return None
    tables = [*WORDS]
    weak = next((verdict for verdict, codes in WEAK_CODES if codes & answer.codes), None)
    if status in {400, 403, 422, 500, None} and weak is not RATE:
        tables = [*WORDS_OF_BAD_REQUESTS, *WORDS]
    found = next((verdict for verdict, words in tables if words.search(answer.words)), None)
    return found or weak


def _by_status(answer: ProviderResponse) -> ErrorClass | None:
    status = answer.effective_status
    if status is None:
        return None
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:  # noqa: PLR2004 - the server's fault
        return OVERLOADED if _says_when(answer) else UNAVAILABLE
    return BAD_REQUEST


def _says_when(answer: ProviderResponse) -> bool:
    """Whether a server that fails tells when to come back: it knows that it is overloaded."""
    names = [name for name, value in (*answer.lower_headers.items(), *answer.leaves) if value]
    told = (understand(name) for name in names[:_MOST_NAMES])
    if any(name is not None and name.role is ResetMeaning.ORDER for name in told):
        return True
    return next(spoken_waits(answer.words, _ANY_TIME), None) is not None
