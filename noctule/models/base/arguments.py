"""Arguments: whether they fit a tool's JSON schema.

Only what decides whether a call can be made as it stands: types, required and unknown fields,
enumerations, nested objects, lists and alternatives. Formats and patterns are the tool's own.
"""

from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_DEEPEST = 32


def misfit(schema: Mapping[str, Any], value: object) -> str | None:
    """Return why a value does not fit a schema, as a clause; None when it does.

    Args:
        schema: a JSON schema; ``$ref`` may point into its own ``$defs``.
        value: as ``json.loads`` gives it.
    """
    return _misfit(schema, value, schema, "", 0)


def _misfit(
    schema: object, value: object, root: Mapping[str, Any], path: str, depth: int
) -> str | None:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    schema = _resolved(schema, root)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(choices, list) and choices:
        found = [_misfit(choice, value, root, path, depth + 1) for choice in choices]
        return None if None in found else found[0]
    wrong = _wrong_choice(schema, value, path) or _wrong_type(schema, value, path)
    if wrong is None and isinstance(value, dict):
        wrong = _misfit_object(schema, value, root, path, depth)
    elif wrong is None and isinstance(value, list):
        items = schema.get("items")
        found = [_misfit(items, v, root, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]
        wrong = next((why for why in found if why is not None), None)
    return wrong


def _wrong_choice(schema: Mapping[str, Any], value: object, path: str) -> str | None:
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(allowed, list) or any(_is_same(value, one) for one in allowed):
        return None
    return f"{_shown(path)} is none of {', '.join(map(str, allowed))}"


def _misfit_object(
    schema: Mapping[str, Any],
    value: Mapping[str, object],
    root: Mapping[str, Any],
    path: str,
    depth: int,
) -> str | None:
    fields = schema.get("properties")
    fields = fields if isinstance(fields, Mapping) else {}
    missing = [name for name in schema.get("required") or () if name not in value]
    if missing:
        return f"{_shown(f'{path}.{missing[0]}')} is missing"
    rest = schema.get("additionalProperties", not fields)
    for name, inner in value.items():
        below = f"{path}.{name}"
        if name not in fields and rest is False:
            return f"{_shown(below)} is no field of it"
        inner_schema = fields.get(name, rest if isinstance(rest, Mapping) else None)
        why = _misfit(inner_schema, inner, root, below, depth + 1)
        if why is not None:
            return why
    return None


def _wrong_type(schema: Mapping[str, Any], value: object, path: str) -> str | None:
    named = schema.get("type")
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list) or any(name not in _TYPES for name in names):
        return None
    if any(_is_a(value, name) for name in names):
        return None
    return f"{_shown(path)} is no {' or '.join(names)}"


def _is_a(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()  # JSON knows one kind of number
    return isinstance(value, _TYPES[name])


def _is_same(value: object, other: object) -> bool:
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(_DEEPEST):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        found: object = root
        for step in reference[2:].split("/"):
            found = found.get(step) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            return {}
        schema = found
    return {}


def _shown(path: str) -> str:
    return path.lstrip(".") or "it"
