"""A tool call on its way from a model's reply to its result."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import ToolMessage
from pydantic import BaseModel, ValidationError

from graphs.state.context import TurnContext
from graphs.state.tool_env import ToolEnvironment
from noctule.core.tools.effects import EffectClass
from tools.base.tool import ToolContext
from tools.registry import AnyTool

NOTED = "noctule"
"""Under which key of a message we keep what is ours."""

_SHOWN_PROBLEMS = 5
_SHOWN_CHARS = 200


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a known tool with valid arguments.

    Args:
        id: unique within the session.
        tool: what is called.
        arguments: as the tool takes them.
        given: as the model wrote them.
        context: of the call, for the tool.
        turn: of the turn it belongs to.
        equipment: the rules it is under.
        leaves: why it may carry out what the session has read, as a clause; None: it cannot.
    """

    id: str
    tool: AnyTool
    arguments: BaseModel
    given: Mapping[str, Any]
    context: ToolContext
    turn: TurnContext
    equipment: ToolEnvironment
    leaves: str | None = None

    @property
    def subject(self) -> str | None:
        """What it acts on; may hold secrets."""
        return self.tool.subject_in(self.arguments, self.context)

    @property
    def effect(self) -> EffectClass:
        """What it can change."""
        return self.tool.effect_of(self.arguments, self.context)

    def allowed_by_person(self) -> "ToolCall":
        """Return the call as one that a person allowed."""
        return replace(self, context=replace(self.context, approved=True))

    def mask(self, text: str) -> str:
        """Return a text without secrets."""
        return self.equipment.masker.mask(text)


@dataclass(frozen=True, slots=True)
class ToldResult:
    """What an agent is told of a call.

    Args:
        text: masked, short enough, marked when it comes from outside.
        failed: whether the call came to nothing.
        files: what it made or changed, relative to the workspace.
        duration_s: seconds of work.
    """

    text: str
    failed: bool = False
    files: tuple[str, ...] = ()
    duration_s: float = 0.0

    def message(self, *, call_id: str, tool: str) -> ToolMessage:
        """Return it as a loop's message."""
        noted = {"duration_s": round(self.duration_s, 3), "files": list(self.files)}
        return ToolMessage(
            self.text,
            name=tool,
            tool_call_id=call_id,
            status="error" if self.failed else "success",
            additional_kwargs={NOTED: noted},
        )


def read_arguments(tool: AnyTool, given: Mapping[str, Any]) -> BaseModel | str:
    """Return the arguments of a call as the tool takes them, or what is wrong with them."""
    try:
        arguments: BaseModel = tool.arguments.model_validate(dict(given))
    except ValidationError as error:
        return _complaint(tool, error)
    return arguments


def _complaint(tool: AnyTool, error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=True)
    lines = [
        f"- {'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}"
        + ("" if one["type"] == "missing" else f" (given: {_short(one['input'])})")
        for one in found[:_SHOWN_PROBLEMS]
    ]
    if len(found) > _SHOWN_PROBLEMS:
        lines.append(f"- and {len(found) - _SHOWN_PROBLEMS} more")
    wanted = ", ".join(
        name if needed else f"{name} (optional)" for name, needed in _wanted(tool).items()
    )
    return (
        f"{tool.name} was not called, its arguments do not fit:\n"
        + "\n".join(lines)
        + f"\nIt takes: {wanted or 'nothing'}. Call it again with all of them right."
    )


def _wanted(tool: AnyTool) -> dict[str, bool]:
    schema = tool.schema()
    needed = schema.get("required", ())
    return {name: name in needed for name in schema.get("properties", {})}


def _short(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
