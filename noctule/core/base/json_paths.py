"""Where in a JSON document a value stands: ``data.limit``, ``balances[0].amount``."""

import re
from typing import Any, Final

_INDEX = re.compile(r"\[(\d+)\]")
_STEP = re.compile(r"[^\s.\[\]]+")


class Absent:
    """Stands for a value that is not there; ``null`` is there, and is None."""

    def __repr__(self) -> str:
        """For people."""
        return "absent"


ABSENT: Final = Absent()


def steps_of(path: str) -> tuple[str, ...]:
    """Return the keys and list positions a path goes through.

    Args:
        path: keys with dots between them, positions in lists as keys or in brackets; ``$.`` may
            stand in front.

    Raises:
        ValueError: it is no path.
    """
    plain = _INDEX.sub(r".\1", path.strip().removeprefix("$").removeprefix("."))
    steps = tuple(plain.split("."))
    if not all(_STEP.fullmatch(step) for step in steps):
        raise ValueError(f"{path!r} is no path; write one like data.limit")
    return steps


def find(document: Any, steps: tuple[str, ...]) -> Any:
    """Return the value at a path; ``ABSENT`` where there is none."""
    value = document
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return value
