"""The tool calls of a model's reply, made fit for a session: own ids, bounded arguments.

Providers number calls from the start in each reply (``call_0``), and the journal knows a call by
its id for as long as its session lives.
"""

import json
import os
from typing import Any

from langchain_core.messages import AIMessage

MOST_CALLS = 20
"""How many calls of one reply are taken."""

MOST_ARGUMENT_CHARS = 300_000
"""The longest arguments of one call, as JSON; longer ones are not even kept."""

_REFUSED = "_refused"
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_CHARS = 9
"""The strictest provider (Mistral) wants exactly nine letters and digits."""


def fit_calls(message: AIMessage) -> AIMessage:
    """Return a reply whose tool calls have ids of their own and arguments of bearable size."""
    if not message.tool_calls:
        return message
    calls: list[Any] = []
    renamed: dict[Any, str] = {}
    for number, call in enumerate(message.tool_calls):
        new = _new_id()
        renamed.setdefault(call["id"], new)
        calls.append({**call, "id": new, "args": _bearable(call["args"], number)})
    return message.model_copy(
        update={
            "tool_calls": calls,
            "content": _content(message.content, calls, renamed),
            "additional_kwargs": _kwargs(message.additional_kwargs, renamed),
        }
    )


def refused_call(arguments: Any) -> str | None:
    """Return why a call was refused when it came; None when it was not."""
    why = arguments.get(_REFUSED) if isinstance(arguments, dict) else None
    return why if isinstance(why, str) else None


def _new_id() -> str:
    number = int.from_bytes(os.urandom(8))
    letters = []
    for _ in range(_ID_CHARS):
        number, at = divmod(number, len(_ID_LETTERS))
        letters.append(_ID_LETTERS[at])
    return "".join(letters)


def _bearable(arguments: dict[str, Any], number: int) -> dict[str, Any]:
    if number >= MOST_CALLS:
        why = f"At most {MOST_CALLS} calls of one reply are taken: this one was not. Call it again."
        return {_REFUSED: why}
    size = len(json.dumps(arguments, default=str))
    if size > MOST_ARGUMENT_CHARS:
        why = (
            f"The arguments had {size:,} characters and at most {MOST_ARGUMENT_CHARS:,} are taken: "
            "it was not called. Write large content in parts."
        )
        return {_REFUSED: why}
    return arguments


def _content(content: Any, calls: list[dict[str, Any]], renamed: dict[Any, str]) -> Any:
    """Return content blocks that name the calls by their new ids (Anthropic repeats them there)."""
    if not isinstance(content, list):
        return content
    arguments = {call["id"]: call["args"] for call in calls}
    return [_block(block, arguments, renamed) for block in content]


def _block(block: Any, arguments: dict[str, Any], renamed: dict[Any, str]) -> Any:
    if not isinstance(block, dict) or block.get("type") not in {"tool_use", "tool_call"}:
        return block
    new = renamed.get(block.get("id"))
    if new is None:
        return block
    changed = {key: value for key, value in block.items() if key != "partial_json"} | {"id": new}
    for name in ("input", "args"):
        if name in block:
            changed[name] = arguments.get(new, block[name])
    return changed


def _kwargs(kwargs: dict[str, Any], renamed: dict[Any, str]) -> dict[str, Any]:
    kept = {name: value for name, value in kwargs.items() if name != "tool_calls"}
    extras = kept.get("tool_call_extras")
    if isinstance(extras, dict):
        kept["tool_call_extras"] = {renamed.get(old, old): said for old, said in extras.items()}
    return kept
