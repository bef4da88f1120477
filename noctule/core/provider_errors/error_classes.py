"""The kinds of refusal there are, each with what follows from it."""

from dataclasses import dataclass, replace

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.times.windows import CalendarUnit, Window, WindowKind


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """What a refusal is, before anybody asks how long it lasts.

    Args:
        outcome: its class.
        account_wide: True when it concerns the whole key.
        needs_person: True when waiting cures nothing, whatever time the answer names.
        renews: the calendar on which the provider is known to renew what is used up; None when
            it has none.
        renews_surely: False when nobody knows in which zone the provider's days begin: its
            calendar is tried once.
        brief: True when it passes within moments, so that the endpoint's own window says
            nothing about it.
        unaffordable: True when it is the money that a smaller request would suit.
        note: what was odd; None when nothing was.
    """

    outcome: Outcome
    account_wide: bool = False
    needs_person: bool = False
    renews: Window | None = None
    renews_surely: bool = True
    brief: bool = False
    unaffordable: bool = False
    note: str | None = None


MONTHLY = Window(WindowKind.ALIGNED, CalendarUnit.MONTH)
RENEWALS = {
    "daily": Window(WindowKind.ALIGNED, CalendarUnit.DAY),
    "weekly": Window(WindowKind.ALIGNED, CalendarUnit.WEEK),
    "monthly": MONTHLY,
}

RATE = ErrorClass(Outcome.RATE_LIMITED)
CROWDED = ErrorClass(Outcome.RATE_LIMITED, brief=True)
OVERLOADED = ErrorClass(Outcome.OVERLOADED, brief=True)
QUOTA = ErrorClass(Outcome.QUOTA_EXHAUSTED, account_wide=True)
SPEND_LIMIT = replace(QUOTA, renews=MONTHLY)
AUTH = ErrorClass(Outcome.AUTH, account_wide=True, needs_person=True)
MISSING = ErrorClass(Outcome.MODEL_MISSING, needs_person=True)
OVERFLOW = ErrorClass(Outcome.CONTEXT_OVERFLOW)
UNAFFORDABLE = replace(
    OVERFLOW,
    unaffordable=True,
    note="this request costs more than what is left; a smaller one may pass",
)
MALFORMED = ErrorClass(Outcome.MALFORMED_TOOL_CALL)
FILTERED = ErrorClass(Outcome.CONTENT_FILTERED)
TIMEOUT = ErrorClass(Outcome.TIMEOUT)
UNAVAILABLE = ErrorClass(Outcome.UNAVAILABLE)
BAD_REQUEST = ErrorClass(Outcome.BAD_REQUEST)
