"""Guard: when a loop gets nowhere, or goes on too long, and should ask its person."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from langchain_core.messages import AIMessage, AnyMessage, ToolCall, ToolMessage

from graphs.tools.tool_call import NOTED
from graphs.tools.tool_hints import without_lesson
from noctule.core.times.durations import show_duration

ERRORS_IN_A_ROW = 3
SAME_FAILURE = 3
LAPS = 3
"""How often the same calls with the same results make a circle."""

_LONGEST_CIRCLE = 3


@dataclass(frozen=True, slots=True)
class LoopUsage:
    """What a loop has spent since a person last let it go on, or what it may spend.

    Args:
        steps: model calls and tool calls, the next one included.
        calls: model calls, the next one included.
        worked_s: seconds of work, sleep not counted.
    """

    steps: int
    calls: int
    worked_s: float


def why_stop(messages: Sequence[AnyMessage], *, spent: LoopUsage, caps: LoopUsage) -> str | None:
    """Return why a loop should stop before its next model call; None when it may go on.

    Args:
        messages: what was said since a person last let it go on.
        spent: what it took so far.
        caps: how much it may take.
    """
    if spent.steps > caps.steps:
        return f"it took {caps.steps} steps without finishing"
    if spent.calls > caps.calls:
        return f"it asked a model {caps.calls} times without finishing"
    if spent.worked_s > caps.worked_s:
        return f"it worked {show_duration(spent.worked_s)} without finishing"
    failures = _failures_in_a_row(messages)
    if failures:
        return f"the last {failures} tool calls failed"
    repeated = _same_failing_call(messages)
    if repeated is not None:
        return f"the same call of {repeated} failed {SAME_FAILURE} times"
    return None


def circle(messages: Sequence[AnyMessage]) -> str | None:
    """Return which calls a loop repeats without anything new coming of them; None when none.

    Args:
        messages: what was said since a person last let it go on.
    """
    rounds = _rounds(messages)
    for length in range(1, _LONGEST_CIRCLE + 1):
        last = rounds[-length * LAPS :]
        if len(last) == length * LAPS and last == last[:length] * LAPS:
            names = [name for calls in last[:length] for name, _, _ in calls]
            return ", ".join(dict.fromkeys(names))
    return None


def seconds_since_model(messages: Sequence[AnyMessage]) -> float:
    """Return how long the tool calls took that the last model call led to; they ran at once."""
    longest = 0.0
    for message in reversed(messages):
        if not isinstance(message, ToolMessage):
            break
        longest = max(longest, message.additional_kwargs.get(NOTED, {}).get("duration_s", 0.0))
    return longest


def tool_results_since_model(messages: Sequence[AnyMessage]) -> int:
    """Return how many tool calls the last model call led to."""
    count = 0
    for message in reversed(messages):
        if not isinstance(message, ToolMessage):
            break
        count += 1
    return count


def _rounds(messages: Sequence[AnyMessage]) -> list[list[tuple[str, str, str]]]:
    """Return for each of the last replies its calls: name, arguments, result without the id."""
    results: dict[str, str] = {}
    rounds: list[list[tuple[str, str, str]]] = []
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            results[message.tool_call_id] = message.text
        elif isinstance(message, AIMessage) and message.tool_calls:
            rounds.insert(0, sorted(_lap(call, results) for call in message.tool_calls))
            if len(rounds) == _LONGEST_CIRCLE * LAPS:
                break
    return rounds


def _lap(call: ToolCall, results: Mapping[str, str]) -> tuple[str, str, str]:
    result = without_lesson(results.get(str(call["id"]), "")).replace(str(call["id"]), "")
    return call["name"], _arguments(call), result


def _arguments(call: ToolCall) -> str:
    return json.dumps(call["args"], sort_keys=True, default=str)


def _failures_in_a_row(messages: Sequence[AnyMessage]) -> int:
    """Return how many calls failed since one did not; 0 until three replies led to nothing else.

    Calls of one reply fail together: the model has seen none of it yet.
    """
    failures = replies = 0
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            if message.status != "error":
                break
            failures += 1
        elif isinstance(message, AIMessage) and message.tool_calls:
            replies += 1
    return failures if replies >= ERRORS_IN_A_ROW else 0


def _same_failing_call(messages: Sequence[AnyMessage]) -> str | None:
    """Return a tool whose same call failed in three replies; within one reply it counts once.

    Calls of one reply were written before the model could see that the first of them failed.
    """
    failed = {m.tool_call_id for m in messages if _is_failure(m)}
    if len(failed) < SAME_FAILURE:
        return None
    seen: Counter[tuple[str, str]] = Counter()
    for message in messages:
        if isinstance(message, AIMessage):
            seen.update(
                {(c["name"], _arguments(c)) for c in message.tool_calls if c["id"] in failed}
            )
    return next((call[0] for call, times in seen.items() if times >= SAME_FAILURE), None)


def _is_failure(message: AnyMessage) -> TypeGuard[ToolMessage]:
    return isinstance(message, ToolMessage) and message.status == "error"
