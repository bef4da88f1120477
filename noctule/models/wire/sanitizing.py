"""Mending: what a server sent, made fit to be kept and sent on.

Text may come with halves of a pair of surrogates (an emoji split over two chunks), which no
database and no encoder takes; with NUL, which PostgreSQL does not take; arguments with numbers no
column holds. None of that says anything, so it is put right instead of refused.
"""

import math
from collections.abc import Mapping
from typing import Any

UNKNOWN = "\ufffd"
DEEPEST = 64
"""How deep arguments may be nested; what is deeper cannot be read."""

_FIRST_HALVES = range(0xD800, 0xDC00)
_LARGEST = 2**63 - 1


class Mender:
    """Mends text that comes in pieces: half a pair at the end of one waits for the next."""

    def __init__(self) -> None:
        self._half = ""

    def mend(self, text: str) -> str:
        """Take the next piece; returns what is whole."""
        text = self._half + text
        self._half = ""
        if text and ord(text[-1]) in _FIRST_HALVES:
            text, self._half = text[:-1], text[-1]
        return mended(text)

    def rest(self) -> str:
        """Return a sign for the half that never became whole; "" when there is none."""
        half, self._half = self._half, ""
        return UNKNOWN if half else ""


def mended(text: str) -> str:
    """Return a text that every encoder takes; halves that belong together are joined."""
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def mended_value(value: Any) -> Any:
    """Return a JSON value whose texts and numbers can be kept, at every depth.

    Raises:
        ValueError: it is nested deeper than ``DEEPEST``.
    """
    return _mended(value, 0)


def _mended(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST}")
    if isinstance(value, Mapping):
        return {mended(str(key)): _mended(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(inner, depth + 1) for inner in value]
    return value if _is_plain(value) else mended(str(value))


def _is_plain(value: Any) -> bool:
    """Whether a value that holds no others can be kept as it is."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, int) and abs(value) <= _LARGEST)
