"""Arguments that somebody else describes with a JSON schema: an MCP server, or a function."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, create_model, model_validator

from tools.base.json_schemas import SchemaError, plain_schema

_MOST_MESSAGE_CHARS = 500
_MOST_LOOKS = 2_000_000
"""The most that is looked at for a call, parts of its schema times parts of its arguments: 3 s."""


class JsonArguments(BaseModel):
    """Any object that fits a JSON schema; ``given`` returns it."""

    model_config = ConfigDict(extra="allow")

    json_schema: ClassVar[Mapping[str, Any]] = {"type": "object"}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problem = _problem(self.json_schema, self.given())
        if problem is not None:
            raise ValueError(problem)
        return self

    def given(self) -> dict[str, Any]:
        """Return the arguments as they were given."""
        return dict(self.model_extra or {})

    def __str__(self) -> str:
        """Write them as one line of JSON."""
        return json.dumps(self.given(), ensure_ascii=False, default=str)

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the schema, references in place; pydantic would look for them among its own."""
        del args, kwargs
        return dict(cls.json_schema)


def arguments_like(schema: Mapping[str, Any]) -> type[JsonArguments]:
    """Return a type of arguments.

    Args:
        schema: of an object. References to other documents are never followed, and ``pattern`` is
            left to whoever wrote it: both can be made to harm the reader. One that cannot be used
            (``plain_schema``) takes any object.
    """
    kind: type[JsonArguments] = create_model("Arguments", __base__=JsonArguments)
    try:
        kind.json_schema = plain_schema(schema)
    except SchemaError:
        kind.json_schema = {"type": "object", "properties": {}}
    return kind


def _problem(schema: Mapping[str, Any], given: dict[str, Any]) -> str | None:
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - only for tools of others

    if _parts(schema) * _parts(given) > _MOST_LOOKS:
        return None  # it would take long, and whoever wrote it checks what arrives anyway
    try:
        errors = list(_validator()(schema).iter_errors(given))
    except Exception:  # noqa: BLE001 - an odd schema can break a validator in any way
        return None  # whoever wrote it checks what arrives anyway
    if not errors:
        return None
    worst = best_match(errors)
    where = ".".join(str(part) for part in worst.absolute_path)
    message = worst.message[:_MOST_MESSAGE_CHARS]
    return f"{where}: {message}" if where else message


def _parts(value: object) -> int:
    """Return how many values are in one, itself among them."""
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        count += 1
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
    return count


@cache
def _validator() -> Any:
    """Return a validator that neither fetches anything nor runs expressions of others."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - as above
    from referencing import Registry  # noqa: PLC0415 - likewise

    rules = dict(Draft202012Validator.VALIDATORS)
    for name in ("pattern", "patternProperties", "uniqueItems"):  # the last one is quadratic
        rules.pop(name)
    kind = validators.create(
        Draft202012Validator.META_SCHEMA,
        validators=rules,
        type_checker=Draft202012Validator.TYPE_CHECKER,
        id_of=Draft202012Validator.ID_OF,
    )

    def build(schema: Mapping[str, Any]) -> Any:
        return kind(dict(schema), registry=Registry())

    return build
