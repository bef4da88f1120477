"""Offered tools: their names at once, their schemas when somebody needs to know."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

NO_CALLS = frozenset({"none"})
"""Tool choices under which no call is due, so that none can be imitated."""


def names_of(tools: Sequence[Any]) -> frozenset[str]:
    """Return the names of tools as ``bind_tools`` takes them; those a provider runs have none."""
    return frozenset(name for tool in tools if (name := _name(tool)))


def schemas_of(tools: Sequence[Any]) -> dict[str, Mapping[str, Any]]:
    """Return the JSON schemas of the arguments by tool; what has none is left out."""
    schemas: dict[str, Mapping[str, Any]] = {}
    for tool in tools:
        try:
            function = convert_to_openai_tool(tool)["function"]
        except (KeyError, TypeError, ValueError):
            continue  # a provider's own tool: nobody writes calls of it
        schemas[function["name"]] = function.get("parameters") or {"type": "object"}
    return schemas


def _name(tool: Any) -> str:
    if isinstance(tool, BaseTool):
        return tool.name
    if isinstance(tool, Mapping):
        function = tool.get("function")
        named = function if isinstance(function, Mapping) else tool
        has_schema = any(key in named for key in ("parameters", "input_schema", "description"))
        return str(named.get("name") or named.get("title") or "") if has_schema else ""
    return str(getattr(tool, "__name__", ""))
