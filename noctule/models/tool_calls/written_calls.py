"""Tool calls that a model wrote as text, read out of the text that holds them.

A written call is only seen as one when it names a tool that was offered: JSON of any other kind,
and code in general, is an answer like any other.
"""

import ast
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NAME_KEYS = ("name", "function", "tool", "tool_name", "function_name", "action", "recipient_name")
ARGUMENT_KEYS = (
    "arguments",
    "parameters",
    "args",
    "input",
    "tool_input",
    "action_input",
    "params",
    "kwargs",
    "function_args",
)
WRAPPER_KEYS = ("tool_calls", "tool_call", "function_call", "tool_uses")
_BESIDE = frozenset({"type", "id", "call_id", "index"})
_LONGEST = 200_000
_DEEPEST = 6
_NAMED = re.compile(rf'"(?:{"|".join(NAME_KEYS)})"\s*:\s*"(?:functions\.)?([\w.\-]+)"')
_ARGUED = re.compile(rf'"(?:{"|".join(ARGUMENT_KEYS)})"\s*:')
_PARAMETER = re.compile(
    r"<parameter(?:=|\s+name=\")([\w.\-]+)\"?((?:\s+[\w\-]+=\"[^\"]*\")*)\s*>"
    r"\s*(.*?)\s*(?:</parameter>|(?=<parameter)|\Z)",
    re.DOTALL,
)
_IS_TEXT = re.compile(r"\bstring=\"true\"")
"""DeepSeek's word for a value that is text whatever it looks like."""


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A tool call as text.

    Args:
        name: of a tool that was offered.
        arguments: what it was given; None when that cannot be read.
        as_json: True when the arguments stood there as JSON, so that their types are certain.
    """

    name: str
    arguments: Mapping[str, Any] | None
    as_json: bool = True


def calls_in(
    body: str, offered: Collection[str], *, spoilt: bool = True
) -> tuple[WrittenCall, ...]:
    """Return the calls a text consists of; none when it is, or also is, something else.

    Args:
        body: what stood alone, in a fence or in a tag.
        offered: the names of the tools.
        spoilt: whether JSON that is cut off or wrongly written is looked at too.
    """
    body = body.strip()[:_LONGEST]
    if not body:
        return ()
    found = _json_calls(body, offered)
    if found is None:
        found = _python_calls(body, offered)
        if spoilt and not found:
            found = _spoilt_calls(body, offered)
    return tuple(found)


def parameters_in(body: str) -> Mapping[str, Any] | None:
    """Return the arguments written as ``<parameter=name>value</parameter>``; None for none.

    A value that is JSON counts as that, any other as text.
    """
    found = {
        name: text if _IS_TEXT.search(more) else _value(text)
        for name, more, text in _PARAMETER.findall(body[:_LONGEST])
    }
    return found or None


def arguments_in(body: str) -> Mapping[str, Any] | None:
    """Return a text that is one JSON object; ``{}`` for none at all, None for anything else."""
    if not body.strip():
        return {}
    try:
        found = json.loads(body, strict=False)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _json_calls(body: str, offered: Collection[str]) -> list[WrittenCall] | None:
    """Return the calls of JSON values one after another; None when the text is not JSON."""
    values = []
    decoder, at = json.JSONDecoder(strict=False), 0
    while at < len(body):
        try:
            value, at = decoder.raw_decode(body, at)
        except (ValueError, RecursionError):
            return None
        values.append(value)
        while at < len(body) and body[at] in " \t\r\n,;":
            at += 1
    return _all_calls(values, offered) or []


def _all_calls(
    values: Collection[Any], offered: Collection[str], depth: int = 0
) -> list[WrittenCall] | None:
    """Return the calls that all values are; None when one of them is something else."""
    calls: list[WrittenCall] = []
    for value in values:
        found = _calls_of(value, offered, depth)
        if not found:
            return None
        calls += found
    return calls


def _calls_of(value: Any, offered: Collection[str], depth: int) -> list[WrittenCall] | None:
    if depth > _DEEPEST:
        return None
    if isinstance(value, list):
        return _all_calls(value, offered, depth + 1)
    if not isinstance(value, dict):
        return None
    for key in (*WRAPPER_KEYS, "function"):
        inner = value.get(key)
        if isinstance(inner, dict | list):
            return _calls_of(inner, offered, depth + 1)
    return list(_plain_call(value, offered))


def _plain_call(value: Mapping[str, Any], offered: Collection[str]) -> Iterator[WrittenCall]:
    if len(value) == 1:
        [(key, inner)] = value.items()
        if key in offered and isinstance(inner, dict):
            yield WrittenCall(key, inner)
            return
    named: str = next((value[key] for key in NAME_KEYS if isinstance(value.get(key), str)), "")
    name = named.removeprefix("functions.")
    if name not in offered:
        return
    given = [key for key in ARGUMENT_KEYS if key in value]
    if not given:
        if not value.keys() - {*NAME_KEYS, *_BESIDE}:
            yield WrittenCall(name, {})
        return
    arguments = value[given[0]]
    if isinstance(arguments, str):
        arguments = arguments_in(arguments)
    if arguments is None and value[given[0]] is None:
        arguments = {}
    yield WrittenCall(name, arguments if isinstance(arguments, dict) else None)


def _python_calls(body: str, offered: Collection[str]) -> list[WrittenCall]:
    """Return calls written as Python: ``look(city="Rome")``, a list of them, or in ``print()``."""
    if not any(f"{name}(" in body or f"{name}.call(" in body for name in offered):
        return []
    try:
        tree = ast.parse(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    calls: list[WrittenCall] = []
    for statement in tree.body:
        value = getattr(statement, "value", None)
        for node in value.elts if isinstance(value, ast.List | ast.Tuple) else [value]:
            call = _python_call(node, offered)
            if call is None:
                return []
            calls.append(call)
    return calls


def _python_call(node: object, offered: Collection[str]) -> WrittenCall | None:
    if not isinstance(node, ast.Call):
        return None
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        name = function.value.id if function.attr == "call" else function.attr
    elif isinstance(function, ast.Name):
        name = function.id
    else:
        return None
    if name == "print" and len(node.args) == 1:
        return _python_call(node.args[0], offered)
    if name not in offered:
        return None
    arguments: dict[str, Any] | None = {}
    try:
        arguments = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords if k.arg}
    except (ValueError, TypeError, RecursionError):
        arguments = None
    named = not node.args and all(keyword.arg for keyword in node.keywords)
    return WrittenCall(name, arguments if named else None, as_json=False)


def _spoilt_calls(body: str, offered: Collection[str]) -> list[WrittenCall]:
    """Return calls in JSON that is cut off or wrongly written; their arguments are lost."""
    if body[0] not in "{[" or not _ARGUED.search(body):
        return []
    names = [name for name in _NAMED.findall(body) if name in offered]
    return [WrittenCall(name, None) for name in names[:1]]


def _value(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
