"""Holds what ``--json`` printed against its schema in ``docs/reference/json``."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_SCHEMAS = Path(__file__).resolve().parents[2] / "docs/reference/json"
_LONGEST = 3
"""So many words name a command at most: ``sessions grants revoke``."""


def check_document(arguments: Sequence[str], out: str) -> None:
    """Fail when a command with ``--json`` printed something else than its schema says.

    Args:
        arguments: what stood behind ``noctule``.
        out: its stdout; empty where a signal ended it.
    """
    name = document_of(arguments)
    if name is None or not out.strip():
        return
    document = json.loads(out)
    failed = isinstance(document, dict) and list(document) == ["error"]
    wrong = [
        f"{error.json_path}: {error.message[:300]}"
        for error in _validator("failure" if failed else name).iter_errors(document)
    ]
    assert wrong == [], f"`{' '.join(arguments)}` does not fit docs/reference/json/{name}.json"


def document_of(arguments: Sequence[str]) -> str | None:
    """Return which schema a command's document must fit; None for one without ``--json``."""
    if "--json" not in arguments or "--help" in arguments:
        return None
    known = {path.stem for path in _SCHEMAS.glob("*.json")}
    words = list(arguments)
    while words and words[0] not in known:
        words.pop(0)  # options of the program, and their values
    for count in range(_LONGEST, 0, -1):
        name = "-".join(words[:count])
        if name in known:
            detached = f"{name}-detach"
            return detached if "--detach" in arguments and detached in known else name
    return None


@cache
def _validator(name: str) -> Any:
    schema = json.loads((_SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
