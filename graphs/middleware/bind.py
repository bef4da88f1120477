"""Bind: every model call of a loop goes to the role's binding, with as much history as fits."""

from collections.abc import Sequence

from langchain.agents.middleware.types import ModelRequest
from langchain_core.messages import AnyMessage, SystemMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately

from agents.agent import Agent
from graphs.context import TurnContext
from graphs.offer import schemas, tools_of
from noctule.core.attempts import Purpose

_PROMPT_SHARE = 0.9
"""The part of a window the history may fill: the count is an estimate, not the model's own."""

_CHARS_PER_TOKEN = 3
"""Of prompts and schemas; rather too few than too many."""


def bound(request: ModelRequest[TurnContext], agent: Agent) -> ModelRequest[TurnContext]:
    """Return a loop's model request with the role's binding, prompt and fitting history.

    Args:
        request: as the loop made it.
        agent: whose loop it is.
    """
    context = request.runtime.context
    prompt = agent.system_prompt(may_hand_over=context.hand_over_allowed, part=context.part)
    tools = schemas(tools_of(agent, context))
    reserved = (len(prompt) + (len(str(tools)) if tools else 0)) // _CHARS_PER_TOKEN
    window = context.models.window_tokens(agent.role)
    return request.override(
        model=context.models.bind(context.call(agent.role, Purpose.ANSWER, stream=True)),
        system_message=SystemMessage(prompt),
        messages=fit(request.messages, window, reserved=reserved),
        tools=tools,
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
