"""The orchestrator's decision for a turn."""

from dataclasses import dataclass
from enum import StrEnum

from noctule.core.base.roles import Role


class DecidedBy(StrEnum):
    """Who or what decided a route."""

    FORCED = "forced"
    RULE = "rule"
    MODEL = "model"
    DEFAULT = "default"


class Complexity(StrEnum):
    """How much a turn asks of a model; chooses within the role's binding."""

    SIMPLE = "simple"
    COMPLEX = "complex"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers a turn, and why.

    Args:
        roles: one role, or several in the order of a plan; never empty.
        complexity: how much it asks of a model.
        by: who decided.
        reason: one clause for people, like ``mentions @engineer``.
        confidence: 0 to 1 where a rule or model gave one; None where nobody did.
    """

    roles: tuple[Role, ...]
    complexity: Complexity
    by: DecidedBy
    reason: str
    confidence: float | None = None

    @property
    def role(self) -> Role:
        """The first role."""
        return self.roles[0]

    @property
    def then_utility(self) -> bool:
        """Whether utility only goes over what one other role answered."""
        return len(self.roles) == 2 and self.roles[1] is Role.UTILITY  # noqa: PLR2004 - a pair

    @property
    def is_plan(self) -> bool:
        """Whether several roles share the work."""
        return len(self.roles) > 1 and not self.then_utility
