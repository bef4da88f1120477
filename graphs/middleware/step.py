"""A model step: guarded, bound, and put to sleep when it may not be taken.

A step that is not taken ends with the reason in the state, and the next node sleeps on it.

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
from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from agents.agent import Agent
from graphs.context import TurnContext
from graphs.limit import limit_state
from graphs.middleware.bind import bound
from graphs.middleware.guard import Effort, tool_results_since_model, why_stop
from graphs.model_calls import fit_calls
from noctule.core.errors import LimitError
from noctule.core.sessions import SessionKind


class ParkState(AgentState[Any]):
    """Adds what the loop waits for, and how far it has come since a person let it go on."""

    rest: NotRequired[Annotated[dict[str, Any] | None, PrivateStateAttr]]
    steps: NotRequired[Annotated[int, PrivateStateAttr]]
    calls: NotRequired[Annotated[int, PrivateStateAttr]]
    worked_s: NotRequired[Annotated[float, PrivateStateAttr]]
    forgiven: NotRequired[Annotated[int, PrivateStateAttr]]


class ModelStep(AgentMiddleware[ParkState, TurnContext, Any]):
    """What stands around every model call of a loop.

    One middleware for all of it: LangChain hands each one's hook to a thread and back twice.

    Args:
        agent: whose loop it is.
    """

    state_schema = ParkState

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self._agent = agent

    async def awrap_model_call(
        self,
        request: ModelRequest[TurnContext],
        handler: Callable[[ModelRequest[TurnContext]], Awaitable[ModelResponse[Any]]],
    ) -> ExtendedModelResponse[Any]:
        """Take the step, or leave in the state what it waits for: a limit, or a person."""
        state: Any = request.state
        messages = state["messages"]
        context = request.runtime.context
        spent = Effort(
            steps=state.get("steps", 0) + 1 + tool_results_since_model(messages),
            calls=state.get("calls", 0) + 1,
            worked_s=state.get("worked_s", 0.0),
        )
        why = why_stop(messages[state.get("forgiven", 0) :], spent=spent, caps=_caps(context))
        if why is not None:
            return _no_step({"kind": "cap", "reason": why})
        begun = context.clock.monotonic()
        try:
            response = await handler(bound(request, self._agent))
        except LimitError as error:
            return _no_step({"kind": "limit", **limit_state(error)})
        worked_s = spent.worked_s + context.clock.monotonic() - begun
        update = {"steps": spent.steps, "calls": spent.calls, "worked_s": worked_s, "rest": None}
        return ExtendedModelResponse(model_response=_fit(response), command=Command(update=update))

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
            again |= {"steps": 0, "calls": 0, "worked_s": 0.0, "forgiven": len(state["messages"])}
        return again


def _fit(response: ModelResponse[Any]) -> ModelResponse[Any]:
    result = [fit_calls(one) if isinstance(one, AIMessage) else one for one in response.result]
    return ModelResponse(result=result, structured_response=response.structured_response)


def _no_step(rest: dict[str, Any]) -> ExtendedModelResponse[Any]:
    return ExtendedModelResponse(
        model_response=ModelResponse(result=[]), command=Command(update={"rest": rest})
    )


def _caps(context: TurnContext) -> Effort:
    limits = context.limits
    is_run = context.session.kind is SessionKind.RUN
    return Effort(
        steps=limits.max_run_steps if is_run else limits.max_steps,
        calls=limits.max_model_calls,
        worked_s=limits.max_turn_time.total_seconds(),
    )
