import pytest
from pydantic import ValidationError

from tools.base.json_arguments import arguments_like
from tools.mcp.adapters import tool_name

SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "where": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    },
    "required": ["kind"],
}


def test_arguments_that_fit_come_back_as_they_were_given():
    """Names that mean something to pydantic are names like others."""
    given = {"kind": "a", "where": {"n": 1}, "copy": 2, "model_config": 3, "json_schema": 4}
    arguments = arguments_like(SCHEMA).model_validate(given)
    assert arguments.given() == given
    assert str(arguments).startswith('{"kind": "a", "where": {"n": 1}')
    assert arguments_like(SCHEMA).model_json_schema() == SCHEMA


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "'kind' is a required property"),
        ({"kind": "c"}, "kind: 'c' is not one of"),
        ({"kind": "a", "where": {"n": "x"}}, "where.n: 'x' is not of type 'integer'"),
        ({"kind": "a", "where": 3}, "where: 3 is not of type 'object'"),
    ],
)
def test_arguments_that_do_not_fit_are_said_with_their_place(given, said):
    """The model reads where it is wrong and what was expected."""
    with pytest.raises(ValidationError, match=said):
        arguments_like(SCHEMA).model_validate(given)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#"},
        {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"type": "nonsense"},
        {"properties": 3},
        {"properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
        {"patternProperties": {"(a+)+$": {"type": "string"}}},
        {"required": "a"},
    ],
)
def test_a_schema_that_would_harm_its_reader_does_not(schema):
    """No request goes out, no expression runs for ever; the server checks what it gets itself."""
    given = {"a": "a" * 60 + "!"}
    assert arguments_like(schema).model_validate(given).given() == given


def test_names_are_what_every_provider_takes():
    """Letters, digits, - and _, 64 characters; long ones stay different."""
    assert tool_name("hub", "odd.name/with spaces") == "hub_odd_name_with_spaces"
    first, second = tool_name("hub", "x" * 80 + "1"), tool_name("hub", "x" * 80 + "2")
    assert len(first) == len(second) == 64
    assert first != second
