"""A call: what somebody asks, before it is known which model will answer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool

from noctule.core.llm.attempts import Purpose
from noctule.core.llm.calls import CallContext
from noctule.core.llm.requirements import Requirements
from noctule.core.ports.prompts import Fit
from noctule.core.settings import ModelSettings, RoleSettings
from noctule.models.base.client import ModelRequest
from noctule.models.base.timeouts import Timeouts
from noctule.models.tool_calls.manner import Manner

ANSWER_TOKENS = 512
"""Room left for an answer in a model's window; a bound of fewer tokens leaves less."""

TOKENS_PER_PICTURE = 1000
"""What a picture is taken to cost; providers differ widely."""

_BYTES_PER_TOKEN = 3.5
_TOKENS_PER_MESSAGE = 4
_BYTES_PER_TOOL = 60
_BYTES_PER_ARGUMENT = 80
_PICTURES = frozenset({"image", "image_url", "input_image"})


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What one caller asks of a role; the same for every model that is tried.

    Args:
        messages: system message first, if any.
        tools: as LangChain's ``bind_tools`` takes them; empty means none.
        tool_choice: as ``bind_tools`` takes it; None leaves it to the model.
        json_schema: the JSON schema (with a ``title``) the answer must fit; None means text.
        stop: texts at which the answer ends; None means the model's own.
        max_tokens: the longest answer; None means the role's bound.
        temperature: None means the role's.
        thinking: None means the role's.
        extra: further keyword arguments, handed to the client as they are.
        manner: how the model is asked for calls of tools; None takes what it has shown.
        fit: makes messages and tools anew for each model that is tried, so that they fit its
            window; None sends these to all of them.
    """

    messages: Sequence[BaseMessage]
    tools: Sequence[Any] = ()
    tool_choice: Any = None
    json_schema: Mapping[str, Any] | None = None
    stop: Sequence[str] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    thinking: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    manner: Manner | None = None
    fit: Fit | None = None

    def need(self, role: RoleSettings, context: CallContext) -> Requirements:
        """Return what a model must be able to do to serve it."""
        prompt, pictures = weigh(self.messages)
        prompt += weigh_tools(self.tools)
        answer = answer_room(self.max_tokens or role.max_tokens)
        return Requirements(
            # A probe finds out whether a model can: it must not have to.
            tools=bool(self.tools) and context.purpose is not Purpose.PROBE,
            vision=pictures > 0,
            json_schema=self.json_schema is not None,
            # What is made to fit is measured when it is made, by the model's own count.
            context_tokens=0
            if self.fit is not None
            else prompt + pictures * TOKENS_PER_PICTURE + answer,
            private=context.private or role.private,
            complexity=context.complexity,
        )

    def request(
        self,
        name: str,
        model: ModelSettings,
        role: RoleSettings,
        timeouts: Timeouts,
        *,
        most_tokens: int | None = None,
        paid_tokens: int | None = None,
    ) -> ModelRequest:
        """Return the request for one model.

        Args:
            name: the model's name in the configuration.
            model: its settings; one that is said not to think is not told anything about it.
            role: gives what the call leaves open.
            timeouts: of the role.
            most_tokens: the longest answer where neither the call nor the role bounds it; None
                leaves it to the model.
            paid_tokens: the longest answer that is paid for; None pays for what is asked for.
        """
        thinking = role.thinking if self.thinking is None else self.thinking
        return ModelRequest(
            model=name,
            messages=self.messages,
            tools=self.tools,
            tool_choice=self.tool_choice,
            json_schema=self.json_schema,
            stop=self.stop,
            max_tokens=paid_tokens or self.max_tokens or role.max_tokens or most_tokens,
            temperature=role.temperature if self.temperature is None else self.temperature,
            thinking=None if model.thinking is False else thinking,
            connect_s=timeouts.connect_s,
            total_s=timeouts.total_s,
            extra=self.extra,
        )


def answer_room(max_tokens: int | None) -> int:
    """Return the tokens of a window kept for the answer: a bound is a most, not a plan."""
    return ANSWER_TOKENS if max_tokens is None else min(max_tokens, ANSWER_TOKENS)


def weigh_tools(tools: Sequence[Any]) -> int:
    """Estimate the tokens of tool schemas."""
    return math.ceil(sum(map(_tool_bytes, tools)) / _BYTES_PER_TOKEN)


def weigh(messages: Sequence[BaseMessage]) -> tuple[int, int]:
    """Estimate the tokens of text and count the pictures.

    Tokens of every script cost about 3.5 bytes of UTF-8 each; a tokenizer would be exact for one
    family of models only and cost more than the rest of the call.
    """
    size = pictures = 0
    for message in messages:
        content = message.content
        if isinstance(content, str):
            size += _bytes(content)
        else:
            for block in content:
                if isinstance(block, dict) and block.get("type") in _PICTURES:
                    pictures += 1
                else:
                    size += _bytes(_block_text(block))
        if isinstance(message, AIMessage) and message.tool_calls:
            size += len(str(message.tool_calls))
    return math.ceil(size / _BYTES_PER_TOKEN) + _TOKENS_PER_MESSAGE * len(messages), pictures


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def _block_text(block: object) -> str:
    text = block.get("text") if isinstance(block, dict) else block
    return text if isinstance(text, str) else str(block)


def _tool_bytes(tool: Any) -> int:
    if isinstance(tool, BaseTool):
        size = _BYTES_PER_TOOL + len(tool.name) + len(tool.description)
        fields = getattr(tool.args_schema, "model_fields", None)
        if fields is None:
            return size + len(str(tool.args_schema or ""))
        return size + _BYTES_PER_ARGUMENT * len(fields)
    if isinstance(tool, Mapping):
        return len(str(tool))
    return _BYTES_PER_TOOL + len(getattr(tool, "__doc__", None) or "")
