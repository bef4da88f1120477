"""The face: what a model is told first and offered, in full or lean.

A small window has no room for eleven tools with every argument, and a weak model misuses what it
does not need. The lean face has a handful of tools with their required arguments, and three lines
of prompt. What it leaves out may still be called: it is only not shown.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.agent import Agent
from agents.lean import LEAN_TOOLS, lean_description
from graphs.state.context import TurnContext
from graphs.tools.tool_selection import schemas
from noctule.core.ports.prompts import Reader
from noctule.core.tools.outside_text import data_in, inline_data
from tools.registry import AnyTool

_SHARE = 0.3
"""Above this share of a window the full face is too much."""

_BYTES_PER_TOKEN = 3.6
_SENTENCE = re.compile(r"(?<=[.!?])\s")
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Face:
    """What stands before a conversation.

    Args:
        system: what the model is told first.
        tools: definitions of what it is offered.
        is_lean: whether it is the short form.
    """

    system: str
    tools: list[Any]
    is_lean: bool = False


def face_of(agent: Agent, context: TurnContext, tools: Sequence[AnyTool], reader: Reader) -> Face:
    """Return the face an agent shows to a model; always the same for the same window and proof."""
    part = context.part
    full = face(agent, tools, may_hand_over=context.hand_over_allowed, part=part)
    insists = context.equipment is not None and context.equipment.insists_on_tools(agent.role)
    return face_for(full, agent, tools, reader, insists=insists, part=part)


def face_for(
    full: Face,
    agent: Agent,
    tools: Sequence[AnyTool],
    reader: Reader,
    *,
    insists: bool,
    part: str | None = None,
) -> Face:
    """Return the full face, or the lean one where the full is too much for a model.

    Args:
        full: the full one.
        agent: whose.
        tools: what it may call.
        reader: the model.
        insists: whether a person named the tools, so that none of them is left out.
        part: as ``face``.
    """
    if not tools or not (reader.is_weak or _is_too_much(full, reader.window_tokens)):
        return full
    return lean_face(agent, tools, chooses=not insists, part=part)


def face(
    agent: Agent,
    tools: Sequence[AnyTool],
    *,
    may_hand_over: bool = False,
    part: str | None = None,
) -> Face:
    """Return the full face.

    Args:
        agent: whose.
        tools: what it may call.
        may_hand_over: whether it may say that a turn is not for it.
        part: what it does of a request that several share; None when it does all of it.
    """
    system = agent.system_prompt(may_hand_over=may_hand_over, part=part, tooled=bool(tools))
    return Face(system, schemas(tools))


def lean_face(
    agent: Agent,
    tools: Sequence[AnyTool],
    *,
    chooses: bool = True,
    part: str | None = None,
) -> Face:
    """Return the lean face; a small model is not told of handing over.

    Args:
        agent: whose.
        tools: what it may call.
        chooses: False offers all of them: a person named them.
        part: as ``face``.
    """
    kept = list(_chosen(agent, tools)) if chooses else list(tools)
    system = agent.system_prompt(may_hand_over=False, part=part, tooled=True, lean=True)
    return Face(system, [lean_schema(tool) for tool in schemas(kept)], is_lean=True)


def lean_schema(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a tool's definition with its required arguments alone and a short description."""
    function = tool["function"]
    parameters = function["parameters"]
    needed = list(parameters.get("required", ()))
    given = parameters.get("properties", {})
    properties = {name: _plain(given[name]) for name in needed if name in given}
    return {
        "type": "function",
        "function": {
            "name": function["name"],
            "description": lean_description(function["name"]) or _first(function["description"]),
            "parameters": {"type": "object", "properties": properties, "required": needed},
        },
    }


def _plain(argument: dict[str, Any]) -> dict[str, Any]:
    """Return an argument's schema with the first sentence that is said of it."""
    kept = {key: value for key, value in argument.items() if key not in _SAID}
    if isinstance(said := kept.get("description"), str):
        kept["description"] = _first(said)
    return kept


_SAID = frozenset({"title", "default", "examples", "maxItems"})


def _first(description: str) -> str:
    said = data_in(description)
    if said:  # a server's words stay between their tags
        return f"{description.partition('<')[0]}{inline_data(_first(said[0]))}"
    sentence = _SENTENCE.split(description.strip(), maxsplit=1)[0]
    return sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]}..."


def _chosen(agent: Agent, tools: Sequence[AnyTool]) -> Iterable[AnyTool]:
    """Return the tools of a lean face: the role's few, and all that a person added."""
    few = LEAN_TOOLS.get(agent.role, ())
    return (tool for tool in tools if tool.name in few or tool.family in {"mcp", "own"})


def _is_too_much(face: Face, window_tokens: int | None) -> bool:
    if window_tokens is None:
        return False
    size = len(face.system) + len(json.dumps(face.tools, ensure_ascii=False))
    return size / _BYTES_PER_TOKEN > window_tokens * _SHARE
