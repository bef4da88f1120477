"""Raw updates: the JSON Telegram sent, taken apart one update at a time and never as a batch.

Nothing here knows what an update means. Whatever one of them holds, the others come through.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from telegram.error import TelegramError
from telegram.request import HTTPXRequest

UNREAD = "unread"
"""Under this key stands the text of an update that is no JSON object we can keep as one."""

_DEEPEST = 200
"""How deeply an update may be nested before it is kept as text; real ones stay under twenty."""

_MOST_UNREAD_CHARS = 10_000
_HIGHEST = 2**63 - 1
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_NUMBER = re.compile(r'"update_id"\s*:\s*(-?\d{1,19})(?!\d)')
_RESULT = re.compile(r'"result"\s*:\s*\[')
_OPENING, _CLOSING = "[{", "]}"


@dataclass(frozen=True, slots=True)
class RawUpdate:
    """One update as it came.

    Args:
        number: its ``update_id``.
        payload: JSON values that every database takes; what could not be read stands as text
            under ``UNREAD``.
    """

    number: int
    payload: Mapping[str, Any]


class UnreadableError(Exception):
    """An update cannot be read, and will not be however often it is tried."""


class UpdatesRequest(HTTPXRequest):
    """Reads answers to ``getUpdates`` so that one update that is no JSON costs only itself."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Return an answer of the Bot API; updates that cannot be parsed come as text.

        Raises:
            TelegramError: it is no answer at all.
        """
        text = payload.decode("utf-8", "replace")
        answer = _parsed(text)
        if isinstance(answer, dict):
            return answer
        start = _RESULT.search(text)
        if start is None:
            raise TelegramError("Invalid server response")
        return {"ok": True, "result": [_update_of(part) for part in _elements(text[start.end() :])]}


def raw_updates(found: object) -> list[RawUpdate]:
    """Return the updates among whatever stood in an answer; what has no number is none."""
    elements = found if isinstance(found, list | tuple) else [found]
    read = (raw_update(element) for element in elements)
    return [update for update in read if update is not None]


def raw_update(found: object) -> RawUpdate | None:
    """Return an update; None when it has no number, so that it cannot be told from others."""
    number = found.get("update_id") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not _is_number(number):
        return None
    if _is_too_deep(found):
        return RawUpdate(number, {"update_id": number, UNREAD: "nested too deeply"})
    return RawUpdate(number, _storable(found))


def posted_update(body: bytes) -> RawUpdate | None:
    """Return the update a webhook was posted; None when there is none in it."""
    text = body.decode("utf-8", "replace")
    return raw_update(_update_of(text))


def _update_of(text: str) -> object:
    parsed = _parsed(text)
    if parsed is not None:
        return parsed
    number = _NUMBER.search(text)
    if number is None:
        return None
    return {"update_id": int(number[1]), UNREAD: text[:_MOST_UNREAD_CHARS]}


def _parsed(text: str) -> object:
    """Return a JSON value; None when it is none, or too deep or too long for the parser."""
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _elements(text: str) -> Iterator[str]:
    """Yield the texts of an array's elements, from behind its bracket to its end or the text's."""
    depth, begin, quoted, escaped = 0, 0, False, False
    for at, mark in enumerate(text):
        if quoted:
            quoted = escaped or mark != '"'
            escaped = mark == "\\" and not escaped
        elif mark == '"':
            quoted = True
        elif mark in _OPENING:
            depth += 1
        elif (mark == "," and depth == 0) or (mark in _CLOSING and depth == 0):
            yield text[begin:at]
            begin = at + 1
            if mark in _CLOSING:
                return
        elif mark in _CLOSING:
            depth -= 1
    yield text[begin:]


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _HIGHEST


def _is_too_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _storable(value: Any) -> Any:
    """Return a value without what databases refuse: NUL, half surrogate pairs, infinite numbers."""
    match value:
        case str():
            return _whole(value)
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {_whole(str(key)): _storable(inner) for key, inner in value.items()}
        case list():
            return [_storable(inner) for inner in value]
        case _:
            return value


def _whole(text: str) -> str:
    text = text.replace("\0", _REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
