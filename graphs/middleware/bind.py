"""Bind: every model call of a loop goes to the role's binding, with as much history as fits."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState
from langchain.agents.middleware.types import ModelRequest, ModelResponse
from langchain_core.messages import AnyMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately

from graphs.context import TurnContext
from noctule.core.attempts import Purpose
from noctule.core.roles import Role

_PROMPT_SHARE = 0.9
"""The part of a window the history may fill: the count is an estimate, not the model's own."""


class BindMiddleware(AgentMiddleware[AgentState[Any], TurnContext, Any]):
    """Last in the list: what reaches the handler is what the model is asked."""

    def __init__(self, role: Role) -> None:
        super().__init__()
        self._role = role

    async def awrap_model_call(
        self,
        request: ModelRequest[TurnContext],
        handler: Callable[[ModelRequest[TurnContext]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Put the role's binding in place of the loop's model."""
        context = request.runtime.context
        model = context.models.bind(context.call(self._role, Purpose.ANSWER, stream=True))
        window = context.models.window_tokens(self._role)
        return await handler(
            request.override(
                model=model,
                messages=fit(request.messages, window, reserved=_tokens(request.system_prompt)),
            )
        )


def fit(messages: Sequence[AnyMessage], window: int | None, *, reserved: int) -> list[AnyMessage]:
    """Return the end of a conversation that fits a window, beginning with a person's message.

    Args:
        messages: the whole conversation.
        window: tokens of prompt the model can hold; None means unknown: nothing is left out.
        reserved: tokens taken by what stands before the conversation.
    """
    if window is None:
        return list(messages)
    most = max(1, int(window * _PROMPT_SHARE) - reserved)
    if count_tokens_approximately(messages) <= most:
        return list(messages)
    kept: list[AnyMessage] = trim_messages(  # type: ignore[assignment]  # a list gives a list
        list(messages),
        max_tokens=most,
        token_counter=count_tokens_approximately,
        strategy="last",
        start_on="human",
    )
    # The last message alone may be too long: the binding then says so, naming the window.
    return kept or [messages[-1]]


def _tokens(text: str | None) -> int:
    return len(text or "") // 4
