"""What an endpoint refuses, or does not answer, until when, with its evidence."""

from dataclasses import dataclass, replace
from datetime import datetime

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence

BUDGET_PREFIX = "budget:"
"""How the endpoint of a key begins that stands for a budget."""


@dataclass(frozen=True, slots=True)
class LimitKey:
    """Whom a limit concerns.

    Args:
        endpoint: the endpoint's name in the configuration.
        key_fingerprint: HMAC of its API key, so that a new key starts clean; "" without a key.
        model: the provider's model by its configured name; None means every model of the key.
    """

    endpoint: str
    key_fingerprint: str
    model: str | None

    @property
    def is_budget(self) -> bool:
        """Whether it stands for a budget of ours (``core.budgets.budgets``), not for a provider."""
        return self.endpoint.startswith(BUDGET_PREFIX)


@dataclass(frozen=True, slots=True)
class Limit:
    """A refusal, or an outage: the provider said "not now", or nothing was heard of it.

    Args:
        key: whom it concerns.
        outcome: the class of the refusal; one that opens circuits makes it an outage.
        reason: the provider's own words.
        not_before: do not ask before this moment, margin included; None means nobody knows:
            a person has to act, and the account is not asked meanwhile. Of an outage it is when
            a sleeper asks again.
        evidence: where the time came from; None when there is none.
        set_at: when it was learned, or last found to hold.
        windows: windows with a known end in a row without any answer in between, this one
            included.
        guesses: likewise refusals and outages whose end was guessed.
        since: the first of that row; None in rows of older versions, which did not keep it.
        left_alone_until: of an outage: nobody asks before this moment (its circuit is open);
            None while everybody may.
    """

    key: LimitKey
    outcome: Outcome
    reason: str
    not_before: datetime | None
    evidence: Evidence | None
    set_at: datetime
    windows: int = 1
    guesses: int = 0
    since: datetime | None = None
    left_alone_until: datetime | None = None

    @property
    def is_outage(self) -> bool:
        """Whether the model failed to answer, rather than answering "not now"."""
        return self.outcome.opens_circuit and self.evidence is Evidence.GUESS

    @property
    def is_guess(self) -> bool:
        """Whether nobody said when it ends, and asking again is the only way to find out."""
        return self.evidence is Evidence.GUESS

    @property
    def begun_at(self) -> datetime:
        """When the row of refusals began that nobody's answer has ended."""
        return self.since or self.set_at

    @property
    def ends_at(self) -> datetime | None:
        """When it no longer keeps the model from being asked; None when nobody knows."""
        return (self.left_alone_until or self.set_at) if self.is_outage else self.not_before

    def in_force(self, now: datetime) -> bool:
        """Whether it still keeps the model from being asked."""
        ends_at = self.ends_at
        return ends_at is None or now < ends_at

    def stands(self, now: datetime) -> bool:
        """Whether somebody may sleep on it: in force, or an outage nobody has seen the end of."""
        return self.not_before is None or now < self.not_before

    def until(self, moment: datetime) -> "Limit":
        """Return it as one that keeps the model from being asked until a moment."""
        if self.is_outage:
            return replace(self, left_alone_until=moment)
        return replace(self, not_before=moment)
