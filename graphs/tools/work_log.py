"""The record of work: what a loop called and what came of it, in few words."""

import json
import os
import re
from collections.abc import Container, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from graphs.tools.tool_call import NOTED

_MOST_LINES = 20
_MOST_CHARS = 100
_WORK = "work"
_ON_A_FILE = re.compile(
    r'- (?P<tool>\w+) \{.*?"path": (?P<path>"(?:[^"\\]|\\[^u])*").*?(?:\}|\.\.\.): (?!failed: )'
)
"""A line of the record: a call on a file that came to something."""


def work_record(messages: Sequence[AnyMessage]) -> str:
    """Return a line per tool call, the newest twenty; "" when there was none."""
    results = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage)}
    lines = [
        _line(call["name"], call["args"], results.get(str(call["id"])))
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    ]
    left_out = len(lines) - _MOST_LINES
    if left_out > 0:
        lines = [f"- {left_out} calls before", *lines[-_MOST_LINES:]]
    return "\n".join(lines)


def with_record(message: AIMessage, record: str) -> AIMessage:
    """Return an answer that carries the record of its work, for the turns that follow."""
    if not record:
        return message
    return message.model_copy(
        update={"additional_kwargs": {**message.additional_kwargs, NOTED: {_WORK: record}}}
    )


def spelled_out(message: AnyMessage) -> AnyMessage:
    """Return a message with the record it carries in its text, as a model is to read it."""
    noted: Any = message.additional_kwargs.get(NOTED)
    if not isinstance(message, AIMessage) or not noted or _WORK not in noted:
        return message
    text = f"{message.text}\n\n(What was called for this:\n{noted[_WORK]})"
    return AIMessage(text, id=message.id, name=message.name)


def recorded_paths(message: AnyMessage, *, besides: Container[str] = ()) -> set[str]:
    """Return the files that calls of an earlier turn were made on with success, as it recorded.

    Args:
        message: its answer.
        besides: names of tools whose calls do not count.
    """
    noted: Any = message.additional_kwargs.get(NOTED)
    record = noted.get(_WORK) if isinstance(noted, dict) else None
    lines = record.splitlines() if isinstance(record, str) else ()
    found = (match for line in lines if (match := _ON_A_FILE.match(line)))
    return {
        os.path.normpath(json.loads(match["path"]))
        for match in found
        if match["tool"] not in besides
    }


def _line(name: str, arguments: dict[str, Any], result: ToolMessage | None) -> str:
    given = json.dumps(arguments, ensure_ascii=False, default=str)
    said = "no result" if result is None else _first_line(result)
    return f"- {name} {_cut(given)}: {_cut(said)}"


def _first_line(result: ToolMessage) -> str:
    text = next((line for line in result.text.splitlines() if line.strip()), "done")
    return f"failed: {text}" if result.status == "error" else text


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}..."
