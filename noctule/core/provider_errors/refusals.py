"""A provider's "not now" or "no", read into one value: class, wait and evidence."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from noctule.core.provider_errors.outcomes import Outcome


class Evidence(StrEnum):
    """Where a wait time came from, strongest first."""

    HEADER = "header"
    BODY = "body"
    WINDOW = "window"
    GUESS = "guess"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one failed attempt taught us.

    Args:
        outcome: its class; never ``success``.
        message: the provider's own words, shortened and without secrets.
        retry_at: when the provider said to come back, aware, without margin; None means it
            did not say (or the outcome is no limit).
        evidence: where ``retry_at`` came from; None when there is none.
        account_wide: True when the refusal concerns the whole key, not this model alone.
        needs_person: True when no wait can cure it (an empty account, a wrong key).
        context_tokens: the model's window as the provider named it, prompt and answer together
            as far as it says; only with ``context_overflow``; None when it named none.
        unaffordable: True when the request is too large for the money that is left and not for
            the window: a smaller answer, or a cheaper model on the same key, may pass.
        affordable_tokens: the largest answer (``max_tokens``) that the money is enough for; None
            when the provider did not say.
        torn: True when the answer broke off after the server had been reached: it is up, and a
            fresh request may well succeed.
        never_sent: True when no connection was made, so that the request never left: the only
            failure that is known to cost nothing although nobody answered.
        answered: True when a server said so itself: it is up, and starting it is no advice.
        note: what was odd about the answer (a clamped wait, a body that is not JSON); None
            when nothing was.
    """

    outcome: Outcome
    message: str
    retry_at: datetime | None = None
    evidence: Evidence | None = None
    account_wide: bool = False
    needs_person: bool = False
    context_tokens: int | None = None
    unaffordable: bool = False
    affordable_tokens: int | None = None
    torn: bool = False
    never_sent: bool = False
    answered: bool = field(default=False, compare=False)
    note: str | None = None
