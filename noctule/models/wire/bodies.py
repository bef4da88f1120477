"""Request bodies put together from several places."""

from collections.abc import Mapping
from typing import Any


def merged(*bodies: Mapping[str, Any]) -> dict[str, Any]:
    """Return one body of several; later ones win, field by field, at every depth."""
    result: dict[str, Any] = {}
    for body in bodies:
        for field, value in body.items():
            known = result.get(field)
            both = isinstance(known, Mapping) and isinstance(value, Mapping)
            result[field] = merged(known, value) if both else value  # type: ignore[arg-type]  # `both` says so
    return result
