"""Guard: when a loop gets nowhere, or goes on too long, and should ask its person."""

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

ERRORS_IN_A_ROW = 3
SAME_FAILURE = 3


def why_stop(messages: Sequence[AnyMessage], *, steps: int, most_steps: int) -> str | None:
    """Return why a loop should stop before its next model call; None when it may go on.

    Args:
        messages: what was said since a person last let it go on.
        steps: model calls and tool calls since then, the next one included.
        most_steps: how many it may take.
    """
    if steps > most_steps:
        return f"it took {most_steps} steps without finishing"
    failures = _failures_in_a_row(messages)
    if failures >= ERRORS_IN_A_ROW:
        return f"the last {failures} tool calls failed"
    repeated = _same_failing_call(messages)
    if repeated is not None:
        return f"the same call of {repeated} failed {SAME_FAILURE} times"
    return None


def tool_results_since_model(messages: Sequence[AnyMessage]) -> int:
    """Return how many tool calls the last model call led to."""
    count = 0
    for message in reversed(messages):
        if not isinstance(message, ToolMessage):
            break
        count += 1
    return count


def _failures_in_a_row(messages: Sequence[AnyMessage]) -> int:
    count = 0
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            if message.status != "error":
                break
            count += 1
    return count


def _same_failing_call(messages: Sequence[AnyMessage]) -> str | None:
    calls = {
        call["id"]: (call["name"], json.dumps(call["args"], sort_keys=True, default=str))
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    }
    seen: dict[tuple[str, str], int] = {}
    for message in messages:
        if isinstance(message, ToolMessage) and message.status == "error":
            call = calls.get(message.tool_call_id)
            if call is not None:
                seen[call] = seen.get(call, 0) + 1
                if seen[call] >= SAME_FAILURE:
                    return call[0]
    return None
