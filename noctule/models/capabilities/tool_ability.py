"""Who is to call tools, and who can."""

from dataclasses import dataclass

from noctule.core.llm.requirements import uses_tools
from noctule.core.settings import Settings


@dataclass(frozen=True, slots=True)
class ProvenToolAbility:
    """Whether a candidate of a role calls tools.

    Args:
        model: by its configured name.
        able: True proven, False shown or said not to, None unknown.
        evidence: why not, or why it is unknown, as one clause; None when it is proven.
    """

    model: str
    able: bool | None
    evidence: str | None = None


def tool_bound(settings: Settings) -> list[str]:
    """Return the models of all roles that offer tools, each once."""
    roles = [own for role, own in settings.roles.items() if uses_tools(role, own)]
    return list(dict.fromkeys(model for own in roles for model in own.models))
