"""Asking the person: the one tool whose result somebody else gives."""

from typing import ClassVar

from pydantic import BaseModel, Field

from noctule.core.tools.effects import EffectClass
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult


class AskArguments(BaseModel):
    """What the person is asked."""

    question: str = Field(
        min_length=1,
        max_length=2000,
        description="Complete in itself: the person may read it hours later.",
    )
    choices: list[str] = Field(
        default_factory=list,
        max_length=8,
        description="Answers to choose from, the best first; leave it out for a free one.",
    )


class AskTool(Tool[AskArguments]):
    """Asks the person; the loop waits for the answer and hands it to ``answered``."""

    name: ClassVar[str] = "ask"
    family: ClassVar[str] = "ask"
    description: ClassVar[str] = (
        "Ask the person something only they can decide or know. Work stops until they answer, "
        "maybe for hours: first do everything that does not depend on it, never ask what you "
        "can find out or reasonably assume, and ask once, not step by step. Returns their "
        "answer."
    )
    arguments = AskArguments
    effect = EffectClass.READ
    asks_person: ClassVar[bool] = True

    def subject(self, arguments: AskArguments) -> str | None:
        """Return the question."""
        return arguments.question

    def answered(self, answer: str | None) -> ToolResult:
        """Return what the agent is told.

        Args:
            answer: the person's words; None when the turn went on without any.
        """
        if answer is None:
            return ToolResult(
                "The person did not answer. Go on with the most careful assumption and say which "
                "you made, or end with what is done and what is open."
            )
        return ToolResult(f"The person answered: {answer}")

    async def run(self, arguments: AskArguments, context: ToolContext) -> ToolResult:
        """Refuse: nobody but the loop can wait for a person.

        Raises:
            ToolError: always.
        """
        raise ToolError("Nobody can be asked here. Go on with the most careful assumption.")
