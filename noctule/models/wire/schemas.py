"""JSON schemas as endpoints take them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, SystemMessage

from noctule.models.wire.texts import text_of

_UNTITLED = "answer"


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI's ``response_format`` for a schema.

    ``strict`` is asked for only where the schema keeps its rules (every object closed, every
    property required): OpenAI refuses others with a 400 instead of following them loosely.
    """
    named: dict[str, Any] = {"name": schema_name(schema), "schema": dict(schema)}
    if _is_closed(schema):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}


def schema_name(schema: Mapping[str, Any]) -> str:
    """Return a name for a schema made of what OpenAI allows in one (letters, digits, _ and -)."""
    title = str(schema.get("title") or _UNTITLED)[:64]
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in title)


def asked_in_words(messages: Sequence[BaseMessage], schema: Mapping[str, Any]) -> list[BaseMessage]:
    """Ask for a schema in the system message, for endpoints that cannot hold an answer to one."""
    words = (
        "Answer with one JSON object and nothing else: no explanation, no code fence. "
        f"It must fit this JSON schema: {json.dumps(schema, ensure_ascii=False)}"
    )
    first, *rest = messages
    if isinstance(first, SystemMessage):
        return [SystemMessage(f"{text_of(first.content)}\n\n{words}"), *rest]
    return [SystemMessage(words), *messages]


def _is_closed(schema: object) -> bool:
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return all(_is_closed(item) for item in schema)
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False:
            return False
        if set(schema.get("required", ())) != set(properties):
            return False
    return all(_is_closed(value) for value in schema.values())
