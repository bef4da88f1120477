import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.models.base.arguments import misfit

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "lines": {"type": "integer"},
        "ratio": {"type": "number"},
        "deep": {"type": "boolean"},
        "mode": {"enum": ["read", "write"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "names": {"type": "array", "items": {"type": "string"}},
        "owner": {"$ref": "#/$defs/Owner"},
        "free": {"type": "object"},
    },
    "required": ["path"],
    "$defs": {
        "Owner": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        }
    },
}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"path": "a"}, None),
        ({"path": "a", "lines": 3, "ratio": 3, "deep": True, "mode": "read"}, None),
        ({"path": "a", "lines": 3.0, "either": None, "names": ["b"]}, None),
        ({"path": "a", "owner": {"name": "Ada"}, "free": {"x": 1}}, None),
        ({}, "path is missing"),
        ({"path": 1}, "path is no string"),
        ({"path": "a", "lines": "3"}, "lines is no integer"),
        ({"path": "a", "lines": True}, "lines is no integer"),
        ({"path": "a", "lines": 3.5}, "lines is no integer"),
        ({"path": "a", "deep": 1}, "deep is no boolean"),
        ({"path": "a", "mode": "delete"}, "mode is none of read, write"),
        ({"path": "a", "either": 1}, "either is no string"),
        ({"path": "a", "names": ["b", 2]}, "names[1] is no string"),
        ({"path": "a", "owner": {}}, "owner.name is missing"),
        ({"path": "a", "owner": "Ada"}, "owner is no object"),
        ({"path": "a", "when": "now"}, "when is no field of it"),
        (["a"], "it is no object"),
    ],
)
def test_arguments_fit_or_it_is_said_why_not(arguments: object, why: str | None) -> None:
    """Types are strict, unknown fields are none, references and alternatives are followed."""
    assert misfit(SCHEMA, arguments) == why


def test_a_schema_that_points_at_itself_ends() -> None:
    """Nesting is followed to a depth, and circles of references are cut."""
    nested: object = {"next": None}
    for _ in range(100):
        nested = {"next": nested}
    tree = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}
    assert misfit(tree, nested) is None
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert misfit(circle, {"x": 1}) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_no_value_breaks_it(value: object) -> None:
    """Whatever a model writes is judged without an error."""
    assert misfit(SCHEMA, {"path": value, "names": value, "owner": value}) != ""
