"""Call arguments: what servers write where one JSON object is due, read where that is clear."""

import ast
import json
from typing import Any

from noctule.models.wire.sanitizing import mended_value

_NOTHING = frozenset({"", "null", "None", '""', "undefined"})
_MOST_WRAPPINGS = 3
_LONGEST_LITERAL = 100_000
_LEFT_OVER = frozenset("}] \t\r\n;")


def read_arguments(given: object) -> dict[str, Any] | None:
    """Return the arguments of a call; None when they are cut off or mean nothing.

    Servers send an object, its text, the text of its text (JSON encoded twice), the object in a
    list, nothing or null for a tool without arguments, the same object twice, ``{}`` and then the
    object, one bracket too many, or Python's way of writing it. Half an object is never completed:
    that would be a call nobody finished writing.

    Args:
        given: as it came.
    """
    try:
        found = _read(given, 0)
        return None if found is None else mended_value(found)
    except (ValueError, RecursionError):
        return None


def _read(given: object, depth: int) -> dict[str, Any] | None:
    if isinstance(given, str) and depth <= _MOST_WRAPPINGS:
        return _read_text(given.strip().lstrip("\ufeff"), depth)
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if given is None:
        return {}
    return given if isinstance(given, dict) else None


def _read_text(text: str, depth: int) -> dict[str, Any] | None:
    if text in _NOTHING:
        return {}
    try:
        inner = json.loads(text, strict=False)
    except ValueError:
        return _odd(text)
    return _read(inner, depth + 1)


def _odd(text: str) -> dict[str, Any] | None:
    """Read text that is not one JSON value."""
    decoder, at, found = json.JSONDecoder(strict=False), 0, []
    while at < len(text):
        if text[at] in _LEFT_OVER:
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            return _literal(text)
        if not isinstance(value, dict):
            return None
        if value not in found and value:
            found.append(value)
    return found[0] if len(found) == 1 else None


def _literal(text: str) -> dict[str, Any] | None:
    if len(text) > _LONGEST_LITERAL or text[0] != "{":
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    known = isinstance(value, dict) and all(isinstance(key, str) for key in value)
    return value if known else None
