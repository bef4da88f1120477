"""Guard: a loop that gets nowhere, or goes on too long, stops and asks its person."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, hook_config
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from graphs.context import TurnContext
from noctule.core.sessions import SessionKind

ERRORS_IN_A_ROW = 3
SAME_FAILURE = 3


class GuardState(AgentState[Any]):
    """Counts steps since a person last let the loop go on."""

    steps: NotRequired[Annotated[int, PrivateStateAttr]]
    forgiven: NotRequired[Annotated[int, PrivateStateAttr]]


class GuardMiddleware(AgentMiddleware[GuardState, TurnContext, Any]):
    """Stops a loop in a state that ``noctule sessions resume`` goes on from."""

    state_schema = GuardState

    @hook_config(can_jump_to=["end"])
    async def abefore_model(
        self, state: GuardState, runtime: Runtime[TurnContext]
    ) -> dict[str, Any] | None:
        """Interrupt before the next model call when a cap is reached."""
        messages = state["messages"]
        steps = state.get("steps", 0) + 1 + _tool_results_since_model(messages)
        forgiven = state.get("forgiven", 0)
        why = _why_stop(messages[forgiven:], steps, _most_steps(runtime.context))
        if why is None:
            return {"steps": steps}
        interrupt({"kind": "cap", "reason": why})
        return {"steps": 0, "forgiven": len(messages)}


def _most_steps(context: TurnContext) -> int:
    limits = context.limits
    is_run = context.session.kind is SessionKind.RUN
    return limits.max_run_steps if is_run else limits.max_steps


def _why_stop(messages: Sequence[AnyMessage], steps: int, most_steps: int) -> str | None:
    if steps > most_steps:
        return f"it took {most_steps} steps without finishing"
    failures = _failures_in_a_row(messages)
    if failures >= ERRORS_IN_A_ROW:
        return f"the last {failures} tool calls failed"
    repeated = _same_failing_call(messages)
    if repeated is not None:
        return f"the same call of {repeated} failed {SAME_FAILURE} times"
    return None


def _tool_results_since_model(messages: Sequence[AnyMessage]) -> int:
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
