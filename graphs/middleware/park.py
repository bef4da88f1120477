"""Park: a model step that may not be taken ends with the reason in the state, and the next sleeps.

The interrupt stands in a node of its own, is called exactly once, and the wake goes back to the
model. (An interrupt in a loop around the call would replay its earlier answers at every wake;
raised as an exception it would cancel the running siblings of a fan-out.)
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, hook_config
from langchain.agents.middleware.types import (
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    PrivateStateAttr,
)
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from graphs.context import TurnContext
from graphs.limit import limit_state
from graphs.middleware.guard import tool_results_since_model, why_stop
from noctule.core.errors import LimitError
from noctule.core.sessions import SessionKind


class ParkState(AgentState[Any]):
    """Adds what the loop waits for, and how far it has come since a person let it go on."""

    rest: NotRequired[Annotated[dict[str, Any] | None, PrivateStateAttr]]
    steps: NotRequired[Annotated[int, PrivateStateAttr]]
    forgiven: NotRequired[Annotated[int, PrivateStateAttr]]


class ParkMiddleware(AgentMiddleware[ParkState, TurnContext, Any]):
    """First in the list, so that nothing else sees a step that is not taken."""

    state_schema = ParkState

    async def awrap_model_call(
        self,
        request: ModelRequest[TurnContext],
        handler: Callable[[ModelRequest[TurnContext]], Awaitable[ModelResponse[Any]]],
    ) -> ExtendedModelResponse[Any]:
        """Take the step, or leave in the state what it waits for: a limit, or a person."""
        state: Any = request.state
        messages = state["messages"]
        steps = state.get("steps", 0) + 1 + tool_results_since_model(messages)
        why = why_stop(
            messages[state.get("forgiven", 0) :],
            steps=steps,
            most_steps=_most_steps(request.runtime.context),
        )
        if why is not None:
            return _no_step({"kind": "cap", "reason": why})
        try:
            response = await handler(request)
        except LimitError as error:
            return _no_step({"kind": "limit", **limit_state(error)})
        return ExtendedModelResponse(
            model_response=response, command=Command(update={"steps": steps, "rest": None})
        )

    @hook_config(can_jump_to=["model"])
    async def aafter_model(
        self, state: ParkState, runtime: Runtime[TurnContext]
    ) -> dict[str, Any] | None:
        """Sleep when the step was not taken, then try it again."""
        rest = state.get("rest")
        if not rest:
            return None
        interrupt(rest)
        again: dict[str, Any] = {"jump_to": "model", "rest": None}
        if rest["kind"] == "cap":
            again |= {"steps": 0, "forgiven": len(state["messages"])}
        return again


def _no_step(rest: dict[str, Any]) -> ExtendedModelResponse[Any]:
    return ExtendedModelResponse(
        model_response=ModelResponse(result=[]), command=Command(update={"rest": rest})
    )


def _most_steps(context: TurnContext) -> int:
    limits = context.limits
    is_run = context.session.kind is SessionKind.RUN
    return limits.max_run_steps if is_run else limits.max_steps
