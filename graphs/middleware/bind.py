"""Bind: every model call of a loop goes to the role's binding, with as much history as fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain.agents.middleware.types import ModelRequest
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    trim_messages,
)
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.tools import BaseTool

from agents.agent import Agent
from graphs.context import TurnContext
from graphs.offer import Offer, schemas
from graphs.pictures import with_pictures
from graphs.record import spelled_out
from noctule.core.attempts import Purpose

_PROMPT_SHARE = 0.9
"""The part of a window the history may fill: the count is an estimate, not the model's own."""

_WORK_SHARE = 0.6
"""The part of a window that work may fill before some of it is left out."""

_CHARS_PER_TOKEN = 3
"""Of prompts and schemas; rather too few than too many."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a loop's messages in a model call.

    Args:
        prompt: what the agent is told first.
        tools: what it is given, as clients take it.
        window: tokens of prompt the role's models hold; None means unknown.
    """

    prompt: str
    tools: list[BaseTool | dict[str, Any]]
    window: int | None

    @property
    def reserved(self) -> int:
        """Tokens it takes itself, about."""
        size = len(self.prompt) + (len(str(self.tools)) if self.tools else 0)
        return size // _CHARS_PER_TOKEN

    def room(self, most: int) -> int:
        """Return how many tokens of messages there may be before some are left out.

        Args:
            most: where the window does not decide.
        """
        if self.window is None:
            return most
        return max(1, min(most, int(self.window * _WORK_SHARE) - self.reserved))

    @property
    def hard(self) -> int | None:
        """How many tokens of messages fit at all; None when that is unknown."""
        if self.window is None:
            return None
        return max(1, int(self.window * _PROMPT_SHARE) - self.reserved)


def frame_of(agent: Agent, context: TurnContext, offered: Offer) -> Frame:
    """Return what stands around the messages of an agent's next model call."""
    prompt = agent.system_prompt(
        may_hand_over=context.hand_over_allowed, part=context.part, tooled=bool(offered.tools)
    )
    return Frame(prompt, schemas(offered.tools), context.models.window_tokens(agent.role))


def bound(
    request: ModelRequest[TurnContext],
    agent: Agent,
    frame: Frame,
    messages: Sequence[AnyMessage],
) -> ModelRequest[TurnContext]:
    """Return a loop's model request with the role's binding, prompt, tools and fitting history.

    Args:
        request: as the loop made it.
        agent: whose loop it is.
        frame: what stands around the messages.
        messages: what it is to see.
    """
    context = request.runtime.context
    seen = [spelled_out(message) for message in messages]
    fitting = fit(seen if frame.tools else in_words(seen), frame.window, reserved=frame.reserved)
    return request.override(
        model=context.models.bind(context.call(agent.role, Purpose.ANSWER, stream=True, loop=True)),
        system_message=SystemMessage(frame.prompt),
        messages=with_pictures(fitting, agent.role, context),
        tools=frame.tools,
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


def in_words(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return messages without tool calls, for a model that is offered none: told in words."""
    return [_in_words(message) for message in messages]


def _in_words(message: AnyMessage) -> AnyMessage:
    if isinstance(message, ToolMessage):
        return HumanMessage(f"{message.name} returned:\n{message.text}")
    if isinstance(message, AIMessage) and message.tool_calls:
        called = "; ".join(f"{call['name']} {call['args']}" for call in message.tool_calls)
        return AIMessage(f"{message.text}\n(I called {called})".strip())
    return message
