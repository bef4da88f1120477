"""The offer: which tools an agent is given for its next model call, and how a model is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from agents.agent import Agent
from graphs.state.context import TurnContext
from graphs.tools.delegate import delegate_of, may_delegate
from noctule.core.base.roles import Role
from noctule.core.ports.models import ToolAbility
from tools.base.json_schemas import SchemaError, plain_schema
from tools.registry import AnyTool

_SCHEMAS: WeakKeyDictionary[AnyTool, dict[str, Any]] = WeakKeyDictionary()

TALKERS = frozenset({Role.CHAT, Role.WRITER})
"""Roles that rather answer without tools than not at all."""


@dataclass(frozen=True, slots=True)
class ToolSelection:
    """What an agent is given.

    Args:
        tools: () lets it only write.
        without: why it has none though it should, for people; None when nothing is amiss.
        dispensable: whether a model that calls no tools may answer when those that do cannot.
    """

    tools: tuple[AnyTool, ...] = ()
    without: str | None = None
    dispensable: bool = False


def known_tools(agent: Agent, context: TurnContext) -> tuple[AnyTool, ...]:
    """Return every tool an agent may call now, whoever of its models can."""
    if context.equipment is None:
        return ()
    tools = context.equipment.toolbox.for_role(agent.role, agent.tools)
    delegate = delegate_of(agent, context) if tools else None
    return tools if delegate is None else (*tools, delegate)


async def look_again(name: str, agent: Agent, context: TurnContext) -> None:
    """Find out what decides on a tool that was offered before and is not known in this process."""
    if may_delegate(agent, context) and all(t.name != name for t in known_tools(agent, context)):
        await context.models.tools_of(agent.role)


async def offer(agent: Agent, context: TurnContext) -> ToolSelection:
    """Return what an agent is given for its next model call.

    A role whose configuration names its tools is offered them whatever is known of its models:
    the binding refuses it with the evidence. One with its usual set goes on without them when no
    model of it can call any. Chat does not wait for a model to be probed: a greeting may not.
    """
    equipment = context.equipment
    if equipment is None:
        return ToolSelection()
    await equipment.toolbox.prepare(agent.role, agent.tools)
    tools = known_tools(agent, context)
    insists, forced = equipment.insists_on_tools(agent.role), context.turn.model
    if not tools or (insists and not may_delegate(agent, context)):
        return ToolSelection(tools)
    if forced is not None:
        facts = context.models.facts().get(forced)
        return (
            ToolSelection(tools) if facts is None or facts.tools is not False else ToolSelection()
        )
    abilities = await context.models.tools_of(
        agent.role, prove=agent.role is not Role.CHAT, sink=context.tagged_sink
    )
    # Only now is it known whether the primary calls tools, and so whether there is one more.
    tools = known_tools(agent, context)
    if insists:
        return ToolSelection(tools)
    if any(one.able and _may_serve(one, agent, context) for one in abilities):
        others = agent.role in TALKERS and any(one.able is not True for one in abilities)
        return ToolSelection(tools, dispensable=others)
    return ToolSelection(without=_why_without(agent, abilities))


def schemas(tools: Sequence[AnyTool]) -> list[dict[str, Any]]:
    """Return tools as every provider's client takes them."""
    return [_schema(tool) for tool in tools]


def _schema(tool: AnyTool) -> dict[str, Any]:
    if tool not in _SCHEMAS:  # making one takes a millisecond
        _SCHEMAS[tool] = {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": _plain(tool.schema()),
            },
        }
    return _SCHEMAS[tool]


def _may_serve(ability: ToolAbility, agent: Agent, context: TurnContext) -> bool:
    own = context.equipment and context.equipment.settings.roles[agent.role].private
    if not (own or context.turn.private or context.session.private):
        return True
    facts = context.models.facts().get(ability.model)
    return facts is not None and facts.local


def _why_without(agent: Agent, abilities: Sequence[ToolAbility]) -> str | None:
    denied = all(
        one.able is False and "tools is false" in (one.evidence or "") for one in abilities
    )
    unknown = agent.role is Role.CHAT and any(one.able is None for one in abilities)
    if denied or unknown:  # the configuration says so, or nobody has asked yet
        return None
    reasons = "; ".join(f"{one.model}: {one.evidence or 'not local'}" for one in abilities)
    return (
        f"{agent.role.value} goes on without tools, none of its models calls them ({reasons}). "
        "`noctule models probe` asks again."
    )


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without references, and without what a model does not need to know."""
    try:
        resolved = plain_schema(schema)
    except SchemaError:  # whoever made the tool left it out; a call is checked anyway
        resolved = {"type": "object", "properties": {}}
    resolved.pop("description", None)  # the tool's own says it
    plain: dict[str, Any] = _told(_one_object(resolved))
    return plain


_COMBINED = ("allOf", "anyOf", "oneOf")
_ONLY_INSIDE = frozenset({*_COMBINED, "enum", "not", "if", "then", "else"})


def _one_object(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that says nothing at its top that providers refuse there.

    OpenAI and Anthropic take no alternatives at the top (2026-11): their fields are told together,
    and which of them go together is checked when a call comes.
    """
    fields, required = dict(schema["properties"]), set(schema.get("required") or ())
    for key in _COMBINED:
        kinds = [_one_object({"properties": {}, **one}) for one in schema.get(key) or ()]
        for kind in kinds:
            for name, inner in kind["properties"].items():
                fields.setdefault(name, inner)
        needed = [set(kind.get("required") or ()) for kind in kinds]
        if needed:
            required |= set.union(*needed) if key == "allOf" else set.intersection(*needed)
    rest = {key: value for key, value in schema.items() if key not in _ONLY_INSIDE}
    names = [name for name in fields if name in required]
    whole = {**rest, "properties": fields}
    return (
        {**whole, "required": names}
        if names
        else {k: v for k, v in whole.items() if k != "required"}
    )


_UNTOLD = frozenset({
    "title", "maxLength", "minLength", "exclusiveMinimum", "pattern", "format", "not", "if", "then",
    "else", "contains", "minContains", "maxContains", "uniqueItems", "patternProperties",
    "propertyNames", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedItems",
    "unevaluatedProperties", "contentEncoding", "contentMediaType", "contentSchema",
})  # fmt: skip
_IN_WORDS = ("format", "pattern")
_MOST_WORDS_CHARS = 120
_VALUES = frozenset({"default", "const", "enum", "examples", "required"})
"""Titles repeat names. llama.cpp, Gemini and others refuse requests for formats, expressions and
conditions they do not know (2026-11), so that one tool would stop all. The tool
checks them, and the first two are told in words."""


def _told(value: Any, *, names: bool = False) -> Any:
    if isinstance(value, dict):
        given = value if names else _in_words(_optional(value))
        return {
            key: inner
            if key in _VALUES and not names
            else _told(inner, names=key == "properties" and not names)
            for key, inner in given.items()
            if names or key not in _UNTOLD
        }
    if isinstance(value, list):
        return [_told(inner) for inner in value]
    return value


def _in_words(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose description says what is told in no other way."""
    said = [
        f"{key}: {schema[key]}"
        for key in _IN_WORDS
        if isinstance(schema.get(key), str) and len(schema[key]) <= _MOST_WORDS_CHARS
    ]
    told = schema.get("description", "")
    if not said or not isinstance(told, str):
        return schema
    return {**schema, "description": f"{told} ({'; '.join(said)})".strip()}


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an argument that may be left out without saying that it may be null."""
    kinds = [one for one in schema.get("anyOf") or () if one != {"type": "null"}]
    if len(kinds) != 1 or "default" not in schema or schema["default"] is not None:
        return schema
    rest = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return {**kinds[0], **rest}
