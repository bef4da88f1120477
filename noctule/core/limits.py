"""What an endpoint refuses until when, with its evidence."""

from dataclasses import dataclass
from datetime import datetime

from noctule.core.outcomes import Outcome
from noctule.core.refusals import Evidence

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
        """Whether it stands for a budget of ours (``core.budgets``), not for a provider."""
        return self.endpoint.startswith(BUDGET_PREFIX)


@dataclass(frozen=True, slots=True)
class Limit:
    """A refusal that is still in force.

    Args:
        key: whom it concerns.
        outcome: the class of the refusal.
        reason: the provider's own words.
        not_before: do not ask before this moment, margin included; None means nobody knows:
            a person has to act, and the account is not asked meanwhile.
        evidence: where the time came from; None when there is none.
        set_at: when it was learned.
        windows: refusals in a row without any success in between, this one included.
    """

    key: LimitKey
    outcome: Outcome
    reason: str
    not_before: datetime | None
    evidence: Evidence | None
    set_at: datetime
    windows: int = 1

    def in_force(self, now: datetime) -> bool:
        """Whether it still says no."""
        return self.not_before is None or now < self.not_before
