import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from tests.support.fuzzing import examples
from tools.base.json_arguments import arguments_like
from tools.base.json_schemas import MOST_CHARS, SchemaError, plain_schema

NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
    },
    "required": ["name"],
}
FROM_GENERATORS: dict[str, Any] = {
    "pydantic": (
        {
            "$defs": {"Bat": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            "type": "object",
            "properties": {"bat": {"$ref": "#/$defs/Bat", "description": "Which."}},
            "required": ["bat"],
        },
        {"bat": {"n": 1}},
        {"bat": {"n": "x"}},
    ),
    "pydantic, recursive": (
        {
            "$defs": {"Node": NODE},
            "type": "object",
            "properties": {"root": {"$ref": "#/$defs/Node"}},
        },
        {"root": {"name": "a", "children": [{"name": "b", "children": []}]}},
        {"root": {"name": "a", "children": [{"name": 1}]}},
    ),
    "pydantic, all of it a reference": (
        {"$defs": {"Node": NODE}, "$ref": "#/$defs/Node"},
        {"name": "a"},
        {"name": 1},
    ),
    "zod, to the first place": (
        {
            "type": "object",
            "properties": {
                "a": {"type": "object", "properties": {"x": {"type": "number"}}},
                "b": {"$ref": "#/properties/a"},
            },
            "$schema": "http://json-schema.org/draft-07/schema#",
        },
        {"b": {"x": 1}},
        {"b": {"x": "y"}},
    ),
    "zod, to the whole": (
        {"type": "object", "properties": {"v": {"type": "string"}, "next": {"$ref": "#"}}},
        {"next": {"v": "a"}},
        {"next": {"v": 1}},
    ),
    "zod, a tuple": (
        {
            "type": "object",
            "properties": {
                "at": {"type": "array", "items": [{"type": "number"}, {"type": "string"}]}
            },
        },
        {"at": [1, "a"]},
        {"at": ["a", 1]},
    ),
    "definitions, escapes and siblings": (
        {
            "definitions": {"a/b~c d": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}},
            "type": "object",
            "properties": {"n": {"$ref": "#/definitions/a~1b~0c%20d", "maximum": 5}},
        },
        {"n": 5},
        {"n": 0},
    ),
    "an anchor, an id": (
        {
            "$id": "https://example.org/s",
            "$defs": {
                "A": {"$anchor": "here", "type": "integer"},
                "B": {"$id": "b.json", "type": "string"},
            },
            "type": "object",
            "properties": {
                "a": {"$ref": "#here"},
                "b": {"$ref": "b.json"},
                "c": {"$ref": "https://example.org/s#/$defs/A"},
            },
        },
        {"a": 1, "b": "x", "c": 2},
        {"a": "x"},
    ),
    "names that mean something to a schema": (
        {
            "type": "object",
            "properties": {
                "$defs": {"type": "integer"},
                "default": {"type": "object", "default": {"$ref": "#/nowhere", "title": "t"}},
                "properties": {"type": "object", "properties": {"$ref": {"type": "string"}}},
            },
        },
        {"$defs": 1, "properties": {"$ref": "x"}},
        {"properties": {"$ref": 1}},
    ),
    "alternatives at the top": (
        {
            "anyOf": [
                {
                    "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}},
                    "required": ["kind", "x"],
                },
                {"properties": {"kind": {"const": "b"}}, "required": ["kind"]},
            ]
        },
        {"kind": "b"},
        {"kind": "c"},
    ),
}


def test_schemas_of_every_common_generator_can_be_sent_and_checked():
    """References are put in place, old drafts said in the new one; what does not fit is refused."""
    wrong: dict[Any, Any] = {}
    for name, (schema, fits, does_not) in FROM_GENERATORS.items():
        kind = arguments_like(schema)
        plain = kind.model_json_schema()
        Draft202012Validator.check_schema(plain)
        if name != "names that mean something to a schema" and "$ref" in json.dumps(plain):
            wrong[name] = plain
        if kind.model_validate(fits).given() != fits:
            wrong[name] = "changed what fits"
        with pytest.raises(ValueError, match=r"."):
            wrong[name] = (kind.model_validate(does_not), "accepted")
    assert wrong == {}


def _wide(count):
    """Types that contain each other: without bounds there are more orders than atoms."""
    every = [{"$ref": f"#/$defs/t{n}"} for n in range(count)]
    kinds = {
        f"t{n}": {"type": "object", "properties": {"x": {"anyOf": every}}} for n in range(count)
    }
    return {"$defs": kinds, "type": "object", "properties": {"x": {"$ref": "#/$defs/t0"}}}


def _doubling(count):
    """Each type is twice the next: 2^count in place."""
    kinds = {f"t{n}": {"allOf": [{"$ref": f"#/$defs/t{n + 1}"}] * 2} for n in range(count)}
    return {"$defs": {**kinds, f"t{count}": {}}, "properties": {"x": {"$ref": "#/$defs/t0"}}}


def _deep(count):
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(count):
        schema = {"type": "object", "properties": {"x": schema}}
    return schema


def test_types_without_end_are_shown_as_far_as_there_is_room():
    """Whatever refers to whatever, what is sent stays within its bound and is checked at once."""
    endless = {
        "itself": {"$ref": "#"},
        "a circle": {
            "properties": {"x": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        },
        "each in each": _wide(12),
        "doubling": _doubling(60),
        "a dynamic one": {"$dynamicAnchor": "m", "properties": {"x": {"$dynamicRef": "#m"}}},
    }
    for name, schema in endless.items():
        plain = plain_schema(schema)
        assert "$" not in json.dumps(plain), name
        assert len(json.dumps(plain)) <= MOST_CHARS, name
        given = {"x": {"x": {"x": {}}}}
        assert arguments_like(schema).model_validate(given).given() == given, name


def test_what_is_no_schema_is_refused_with_a_reason():
    """A provider would refuse the whole request, and with it every agent."""
    hostile = {
        "another document": {"properties": {"x": {"$ref": "http://127.0.0.1:9/s.json"}}},
        "a file": {"$ref": "file:///etc/passwd"},
        "nothing": {"properties": {"x": {"$ref": "#/$defs/none"}}},
        "no name": {"properties": {"x": {"$ref": ["#"]}}},
        "no type": {"properties": {"x": {"type": "nonsense"}}},
        "no fields": {"properties": 3},
        "required said as one name": {"required": "x"},
        "no number": {"properties": {"x": {"default": float("nan")}}},
        "too large a number": {"properties": {"x": {"default": 10**5000}}},
        "half a character": {"properties": {"x": {"default": "\ud800"}}},
        "deep": _deep(3000),
        "huge": {"properties": {"x": {"enum": ["y" * 100] * 1000}}},
        "more parts than are read": {"properties": {"x": {"enum": list(range(100_000))}}},
        "a value where a schema belongs": {"properties": {"x": 3}},
        "a reference to a value": {"properties": {"x": {"$ref": "#/title"}}, "title": "t"},
    }
    taken = []
    for name, schema in hostile.items():
        with pytest.raises(SchemaError, match="schema"):
            taken.append((name, plain_schema(schema)))
    assert taken == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "$ref", "$defs", "type", "properties", "items", "anyOf", "allOf", "enum", "default",
            "required", "additionalProperties", "$id", "$anchor", "not", "x",
        ]),
        inner | st.sampled_from(["#", "#/$defs/x", "#/properties/x", "object", "string"]),
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["$ref", "$defs", "properties", "anyOf", "type"]), JSON))
@settings(max_examples=examples(150), derandomize=True, deadline=None)
def test_any_json_is_a_schema_that_can_be_sent_or_is_refused(schema):
    """Nothing else comes of it, and arguments of any shape can be held against it."""
    try:
        plain = plain_schema(schema)
    except SchemaError:
        plain = {"type": "object", "properties": {}}
    Draft202012Validator.check_schema(plain)
    assert plain["type"] == "object"
    with suppress(ValidationError):
        arguments_like(schema).model_validate({"x": [{"x": 1}]})
