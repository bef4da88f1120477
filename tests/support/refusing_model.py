"""A model that is refused as often as it is told to, and the node its loop sleeps in.

The smallest loop that parks: what savers have to bear, without the rest of the runtime.
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
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.types import Command, interrupt


class RefusedError(Exception):
    """Nobody may answer now."""


class Refusing(BaseChatModel):
    """Asks for two tools, then answers; refuses with a limit as often as it is told to."""

    name_: str
    refusals: int = 0
    calls: list[str] = []  # noqa: RUF012 - pydantic copies the default

    @property
    def _llm_type(self) -> str:
        return "refusing"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("Noctule calls models asynchronously only.")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self.refusals:
            self.refusals -= 1
            self.calls.append("refused")
            raise RefusedError("slow down")
        asked = sum(isinstance(m, AIMessage) for m in messages)
        self.calls.append(f"answered {asked}")
        calls = [{"name": "look", "args": {"at": f"{self.name_}{n}"}, "id": f"{n}"} for n in "pq"]
        said = AIMessage(
            "" if asked == 0 else f"{self.name_} done", tool_calls=calls if asked == 0 else []
        )
        return ChatResult(generations=[ChatGeneration(message=said)])

    def bind_tools(self, tools: Any, **kwargs: Any) -> "Refusing":
        return self


class ParkState(AgentState[Any]):
    """Adds the refusal that stopped the last model step."""

    refusal: NotRequired[Annotated[str | None, PrivateStateAttr]]


class ParkNode(AgentMiddleware[ParkState, None, Any]):
    """Ends a refused step with the refusal in the state; the next node interrupts once."""

    state_schema = ParkState

    async def awrap_model_call(
        self,
        request: ModelRequest[None],
        handler: Callable[[ModelRequest[None]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
        """Turn a refusal into state."""
        try:
            return await handler(request)
        except RefusedError as error:
            return ExtendedModelResponse(
                model_response=ModelResponse(result=[]),
                command=Command(update={"refusal": str(error)}),
            )

    @hook_config(can_jump_to=["model"])
    async def aafter_model(self, state: ParkState, runtime: Any) -> dict[str, Any] | None:
        """Sleep after a refusal, then go back to the model."""
        if not state.get("refusal"):
            return None
        interrupt({"kind": "limit", "reason": state["refusal"]})
        return {"jump_to": "model", "refusal": None}
