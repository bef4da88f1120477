"""Delegating: a model that writes well but calls no tools serves as a tool of one that does."""

from typing import ClassVar

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from agents.agent import Agent, read_prompt
from graphs.state.context import TurnContext
from noctule.core.base.roles import Role
from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.attempts import Purpose
from noctule.core.tools.effects import EffectClass
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult

_WRITERS = {Role.ENGINEER: ("write_code", "code"), Role.WRITER: ("write_text", "text")}


class DelegateArguments(BaseModel):
    """What is to be written."""

    task: str = Field(
        min_length=1,
        description="What to write, complete in itself: its reader sees nothing else.",
    )
    material: str = Field(
        default="",
        description="What it has to know for it: existing code, facts, an outline, a style.",
    )


class WriteTool(Tool[DelegateArguments]):
    """Has a text written by the model that is best at it.

    Args:
        agent: whose primary it is.
        model: the model, by its configured name.
        context: of the turn.
    """

    name: ClassVar[str] = "write"
    family: ClassVar[str] = "write"
    description: ClassVar[str] = ""
    arguments = DelegateArguments
    effect = EffectClass.READ

    def __init__(self, agent: Agent, model: str, context: TurnContext) -> None:
        name, what = _WRITERS[agent.role]
        self.name = name  # type: ignore[misc]  # one class serves both roles
        self.description = (  # type: ignore[misc]  # likewise
            f"Have a model that writes {what} well write some. It sees only the task and the "
            f"material, knows no files and calls no tools; you get its {what} back and use it. "
            f"Prefer it to writing longer {what} yourself."
        )
        self._agent = agent
        self._model = model
        self._context = context

    async def run(self, arguments: DelegateArguments, context: ToolContext) -> ToolResult:
        """Ask the model.

        Raises:
            ToolError: it cannot answer now.
        """
        del context
        call = self._context.call(self._agent.role, Purpose.ANSWER, forced=self._model)
        asked = arguments.task
        if arguments.material:
            asked += f"\n\nWhat you have to know:\n{arguments.material}"
        system = read_prompt(self._agent.role.value)
        try:
            said = await self._context.models.bind(call).ainvoke(
                [SystemMessage(system), HumanMessage(asked)]
            )
        except (LimitError, NoModelError) as error:
            raise ToolError(f"{self._model} cannot write it now: {error} Write it.") from error
        return ToolResult(said.text)


def may_delegate(agent: Agent, context: TurnContext) -> bool:
    """Whether a role's primary may serve as a tool, as far as that does not hang on its models."""
    return agent.role in _WRITERS and context.turn.model is None


def delegate_of(agent: Agent, context: TurnContext) -> WriteTool | None:
    """Return the tool through which a role's primary still serves; None when there is no need.

    There is when the primary is known to call no tools, another model drives the loop in its
    place, and the person named no model.
    """
    if context.equipment is None or not may_delegate(agent, context):
        return None
    binding = context.equipment.settings.roles[agent.role]
    facts = context.models.facts()
    primary, later = facts.get(binding.primary), binding.models[1:]
    if primary is None or primary.tools is not False:
        return None
    drivers = [name for name in later if name in facts and facts[name].tools]
    return WriteTool(agent, binding.primary, context) if drivers else None
