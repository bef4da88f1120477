"""What one call requires of a model, and what a role requires of its models."""

from dataclasses import dataclass

from noctule.core.base.roles import SPECIALISTS, Role
from noctule.core.llm.routes import Complexity
from noctule.core.settings.role import RoleSettings


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one call requires.

    Args:
        tools: it offers tools, so that the model must be able to call them.
        vision: it sends pictures.
        json_schema: its answer must fit a schema.
        context_tokens: prompt and answer together, estimated; 0 means unknown, do not check.
        private: only local models may see it.
        complexity: ``escalate`` asks the binding's escalation model first.
    """

    tools: bool = False
    vision: bool = False
    json_schema: bool = False
    context_tokens: int = 0
    private: bool = False
    complexity: Complexity = Complexity.SIMPLE


def needs_tools(role: Role, binding: RoleSettings) -> bool:
    """Whether a role cannot do its work without a model that calls tools.

    Roles that name tools do, and so do engineer, research and writer unless they are told to do
    without (``tools: []``). Chat uses tools where its model can, and talks where it cannot.

    Args:
        role: which one.
        binding: its settings.
    """
    if role is Role.ORCHESTRATOR:
        return False
    return role in SPECIALISTS if binding.tools is None else bool(binding.tools)


def uses_tools(role: Role, binding: RoleSettings) -> bool:
    """Whether a role offers tools to models that can call them."""
    return needs_tools(role, binding) or (role is Role.CHAT and binding.tools is None)
