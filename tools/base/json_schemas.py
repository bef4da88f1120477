"""JSON schemas that somebody else wrote, as one that can be sent to any provider and checked.

Generators write references: pydantic and FastMCP into ``$defs``, zod into ``definitions`` or to
the first place where a type stood (``#/properties/a``), recursive types to ``#``. Models' servers
differ in what they make of those, so they are put in place here, within bounds: a type that
contains itself is shown twice and is then anything of its type.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

MOST_CHARS = 30_000
"""How long a schema may be with its references in place; it goes out with every request."""

_MOST_NODES = 5_000
_MOST_READ_NODES = 50_000
_DEEPEST = 48
_DEEPEST_REFERENCES = (8, 4, 2, 1, 0)
_SHOWN_WITHIN_ITSELF = 2
_LARGEST_NUMBER = 2**64

_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_ONES = frozenset({
    "items", "additionalItems", "additionalProperties", "not", "if", "then", "else", "contains",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_FOR_READERS_OF_SCHEMAS = frozenset({
    "$ref", "$defs", "definitions", "$id", "id", "$schema", "$anchor", "$comment", "$dynamicRef",
    "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary",
})  # fmt: skip
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "deprecated"})
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class SchemaError(Exception):
    """A schema cannot be used; ``str()`` of it is why, as a clause."""


class _TooMuchError(Exception):
    """It does not fit the bounds with references so deep."""


def plain_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object without references.

    Args:
        schema: any draft's, as ``json.loads`` gives it. Nothing outside of it is looked at.

    Raises:
        SchemaError: it is no schema, refers to something that is not in it, or is too large.
    """
    _check_values(schema)
    named = _named(schema)
    for deepest in _DEEPEST_REFERENCES:
        try:
            found = _Reader(schema, named, deepest).read()
        except _TooMuchError:
            continue
        if len(json.dumps(found, ensure_ascii=False)) <= MOST_CHARS:
            found = {**found, "type": "object"}
            found.setdefault("properties", {})
            _check_schema(found)
            return found
    raise SchemaError(f"its schema is longer than {MOST_CHARS:,} characters")


class _Reader:
    """Reads one schema with references down to some depth."""

    def __init__(self, root: Mapping[str, Any], named: Mapping[str, object], deepest: int) -> None:
        self._root = root
        self._named = named
        self._deepest = deepest
        self._left = _MOST_NODES

    def read(self) -> dict[str, Any]:
        read = self._schema(self._root, ("#",), 0)
        return read if isinstance(read, dict) else {}

    def _schema(self, schema: object, within: tuple[str, ...], depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST * 4:
            raise _TooMuchError
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if not isinstance(schema, Mapping):
            raise SchemaError(f"its schema holds {str(schema)[:40]!r} where a schema belongs")
        own = {
            key: self._value(key, value, within, depth + 1)
            for key, value in schema.items()
            if key not in _FOR_READERS_OF_SCHEMAS
        }
        reference = next((schema[key] for key in _REFERENCES if key in schema), None)
        if reference is None:
            return _modern(own)
        return _together(self._referred(reference, within, depth), _modern(own))

    def _value(self, key: str, value: object, within: tuple[str, ...], depth: int) -> Any:
        if key in _MAPS and isinstance(value, Mapping):
            return {name: self._schema(one, within, depth) for name, one in value.items()}
        if (key in _LISTS or key == "items") and isinstance(value, list):
            return [self._schema(one, within, depth) for one in value]
        if key in {"additionalProperties", "unevaluatedProperties"} and isinstance(value, bool):
            return value
        if key in _ONES:
            return self._schema(value, within, depth)
        self._left -= 1 + len(value) if isinstance(value, list) else 1
        return value

    def _referred(self, reference: object, within: tuple[str, ...], depth: int) -> dict[str, Any]:
        if not isinstance(reference, str):
            raise SchemaError("its schema refers to something without a name")
        target = self._target(reference)
        again = Counter(within)[reference] >= _SHOWN_WITHIN_ITSELF
        if again or len(within) > self._deepest:
            return _outline(target)
        read = self._schema(target, (*within, reference), depth + 1)
        return read if isinstance(read, dict) else {}

    def _target(self, reference: str) -> object:
        if reference in self._named:
            return self._named[reference]
        base = str(self._root.get("$id") or "")
        pointer = reference.removeprefix(base) if base else reference
        if pointer in {"#", ""}:
            return self._root
        if not pointer.startswith("#/"):
            raise SchemaError(f"its schema refers to {reference[:80]!r}, which is not part of it")
        found: object = self._root
        for step in unquote(pointer[2:]).split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = dict(zip(map(str, range(len(found))), found, strict=True)).get(name)
            else:
                found = found.get(name) if isinstance(found, Mapping) else None
        if found is None:
            raise SchemaError(f"its schema refers to {reference[:80]!r}, which is not part of it")
        return found


def _outline(target: object) -> dict[str, Any]:
    """Return what is said of a type where it is not shown any more."""
    if not isinstance(target, Mapping):
        return {}
    return {key: target[key] for key in ("type", "description") if key in target}


def _together(target: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference and the keywords beside it say."""
    if all(key in _ANNOTATIONS or target.get(key, value) == value for key, value in own.items()):
        return {**target, **own}
    every = own.pop("allOf", [])
    return {**own, "allOf": [target, *(every if isinstance(every, list) else [])]}


def _modern(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of an old draft as the newest one says it (2020-12 release notes)."""
    if isinstance(items := schema.get("items"), list):
        schema.pop("items")
        schema["prefixItems"] = items
        if "additionalItems" in schema:
            schema["items"] = schema["additionalItems"]
        if not items:
            schema.pop("prefixItems")
    schema.pop("additionalItems", None)
    for bound, edge in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(bound), bool) and schema.pop(bound) and edge in schema:
            schema[bound] = schema.pop(edge)  # draft 4
    return schema


def _nodes(value: object) -> Iterator[object]:
    """Yield everything within a value, itself first."""
    waiting = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        yield one
        if isinstance(one, Mapping | list):
            if depth >= _DEEPEST:
                raise SchemaError(f"its schema is nested more than {_DEEPEST} levels deep")
            inner = one.values() if isinstance(one, Mapping) else one
            waiting += [(each, depth + 1) for each in inner]


def _check_values(schema: Mapping[str, Any]) -> None:
    """Refuse what cannot be sent on as JSON by every client."""
    for count, value in enumerate(_nodes(schema)):
        if count > _MOST_READ_NODES:
            raise SchemaError(f"its schema has more than {_MOST_READ_NODES:,} parts")
        if isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
            raise SchemaError("its schema holds a number of more than 64 bits")
    try:
        json.dumps(schema, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:  # NaN, half a character, what is no JSON
        raise SchemaError("its schema holds something that is no JSON") from error


def _named(schema: Mapping[str, Any]) -> dict[str, object]:
    """Return the parts that have a name of their own (``$anchor``, ``$id``) by it."""
    named: dict[str, object] = {}
    for node in _nodes(schema):
        if isinstance(node, Mapping):
            for key in ("$anchor", "$dynamicAnchor"):
                if isinstance(name := node.get(key), str):
                    named.setdefault(f"#{name}", node)
            for key in ("$id", "id"):
                if node is not schema and isinstance(name := node.get(key), str):
                    named.setdefault(name, node)
    return named


def _check_schema(schema: dict[str, Any]) -> None:
    validator = _of_schemas()
    wrong = next(iter(validator.iter_errors(schema)), None)
    if wrong is not None:
        where = "/".join(str(part) for part in wrong.absolute_path) or "it"
        raise SchemaError(f"its schema is none: {where[:80]} is {str(wrong.instance)[:40]!r}")


@cache
def _of_schemas() -> Any:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - only for tools of others

    return Draft202012Validator(Draft202012Validator.META_SCHEMA)
