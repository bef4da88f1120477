"""Lessons: what a tool's result tells an agent besides the result, all of it true of the record."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from graphs.tools.tool_call import ToldResult

_AGAIN = "You made this very call before, with the same result:\n"


def with_lesson(
    said: ToldResult, asked: Mapping[str, Any], messages: Sequence[AnyMessage]
) -> ToldResult:
    """Return a result that says so when the same call had the same result before.

    Args:
        said: what came of the call.
        asked: the call, as the model made it.
        messages: of the loop so far.
    """
    now = _plain(said.text, str(asked["id"]))
    if any(before == now for before in _earlier(asked, messages)):
        return replace(said, text=_AGAIN + said.text)
    return said


def without_lesson(text: str) -> str:
    """Return a result as it was before ``with_lesson``."""
    return text.removeprefix(_AGAIN)


def _earlier(asked: Mapping[str, Any], messages: Sequence[AnyMessage]) -> Iterator[str]:
    """Yield what came of the same call earlier, without ids."""
    wanted = _arguments(asked["args"])
    same = {
        str(call["id"])
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
        if call["name"] == asked["name"] and _arguments(call["args"]) == wanted
    } - {str(asked["id"])}
    for message in messages:
        if isinstance(message, ToolMessage) and message.tool_call_id in same:
            yield _plain(without_lesson(message.text), message.tool_call_id)


def _plain(text: str, call_id: str) -> str:
    """Return a result without the call's own id, which stands in the mark around outside text."""
    return text.replace(call_id, "")


def _arguments(given: object) -> str:
    return json.dumps(given, sort_keys=True, default=str)
