"""Park: a refused model step ends with the limit in the state; the next node goes to sleep.

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
from noctule.core.errors import LimitError


class ParkState(AgentState[Any]):
    """Adds the limit that stopped the last model step."""

    limit: NotRequired[Annotated[dict[str, Any] | None, PrivateStateAttr]]


class ParkMiddleware(AgentMiddleware[ParkState, TurnContext, Any]):
    """First in the list, so that nothing else sees the refused step."""

    state_schema = ParkState

    async def awrap_model_call(
        self,
        request: ModelRequest[TurnContext],
        handler: Callable[[ModelRequest[TurnContext]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
        """Turn a limit into state; forget it after a call that got through."""
        try:
            response = await handler(request)
        except LimitError as error:
            return ExtendedModelResponse(
                model_response=ModelResponse(result=[]),
                command=Command(update={"limit": limit_state(error)}),
            )
        if request.state.get("limit"):
            return ExtendedModelResponse(
                model_response=response, command=Command(update={"limit": None})
            )
        return response

    @hook_config(can_jump_to=["model"])
    async def aafter_model(
        self, state: ParkState, runtime: Runtime[TurnContext]
    ) -> dict[str, Any] | None:
        """Sleep while there is a limit, then ask the model again."""
        limit = state.get("limit")
        if not limit:
            return None
        interrupt({"kind": "limit", **limit})
        return {"jump_to": "model", "limit": None}
