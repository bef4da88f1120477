"""The offer: which tools an agent has, and how a model is told of them."""

from collections.abc import Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.json_schema import dereference_refs

from agents.agent import Agent
from graphs.context import TurnContext
from tools.registry import AnyTool


def tools_of(agent: Agent, context: TurnContext) -> tuple[AnyTool, ...]:
    """Return the tools an agent has now; () when it has none."""
    if context.equipment is None:
        return ()
    return context.equipment.toolbox.for_role(agent.role, agent.tools)


def schemas(tools: Sequence[AnyTool]) -> list[BaseTool | dict[str, Any]]:
    """Return tools as every provider's client takes them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": _plain(tool.schema()),
            },
        }
        for tool in tools
    ]


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without references and titles: some servers read neither."""
    resolved: dict[str, Any] = dereference_refs(schema) if "$defs" in schema else dict(schema)
    resolved.pop("$defs", None)
    untitled: dict[str, Any] = _untitled(resolved)
    untitled.setdefault("properties", {})
    return untitled


def _untitled(value: Any, *, names: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            key: _untitled(inner, names=key == "properties" and not names)
            for key, inner in value.items()
            if names or key != "title"
        }
    if isinstance(value, list):
        return [_untitled(inner) for inner in value]
    return value
