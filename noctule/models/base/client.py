"""What the binding asks of an endpoint, whatever its kind."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from noctule.core.llm.attempts import Usage


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to one model.

    Args:
        model: the model's name in the configuration.
        messages: system message first, if any.
        tools: tool definitions as LangChain's ``bind_tools`` takes them; empty means none.
        tool_choice: as ``bind_tools`` takes it; None leaves it to the model.
        json_schema: the JSON schema (with a ``title``) the answer must fit; None means text.
        stop: texts at which the answer ends; None means the model's own.
        max_tokens: the longest answer; None means the model's own bound.
        temperature: None means the model's own.
        thinking: True asks for it, False for none, None leaves it to the model.
        connect_s: seconds a connection may take.
        total_s: seconds the whole request may take.
        extra: keyword arguments a LangChain caller bound to the model, passed on as they are.
    """

    model: str
    messages: Sequence[BaseMessage]
    tools: Sequence[Any] = ()
    tool_choice: Any = None
    json_schema: Mapping[str, Any] | None = None
    stop: Sequence[str] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    thinking: bool | None = None
    connect_s: float = 5.0
    total_s: float = 300.0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a complete answer says about itself.

    Args:
        usage: tokens and cost as the provider reported them.
        finish_reason: ``stop``, ``length``, ``tool_calls``, ``content_filter`` ... in OpenAI's
            words; None means the provider never said that it had finished (a torn stream).
        truncated_prompt: True when the provider visibly dropped part of the prompt.
    """

    usage: Usage
    finish_reason: str | None
    truncated_prompt: bool = False


@dataclass(frozen=True, slots=True)
class PresentModel:
    """A model an endpoint says it has.

    Args:
        name: what the endpoint calls it.
        context: its window in tokens; None means it does not say.
        loaded_context: the window it is loaded with now; None when it is not or does not say.
        memory_bytes: what it takes loaded; None means unknown.
        capabilities: what its template mentions (``tools``, ``vision``, ``thinking``); a claim,
            not a proof; None means it does not say.
        version: changes when the model behind the name does (a digest, a dated name); "" when
            nothing tells.
    """

    name: str
    context: int | None = None
    loaded_context: int | None = None
    memory_bytes: int | None = None
    capabilities: frozenset[str] | None = None
    version: str = ""


class Client(Protocol):
    """One endpoint. Raises whatever its library raises; ``failures`` reads that."""

    async def answer(self, request: ModelRequest) -> AIMessage:
        """Return a complete answer without streaming."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[AIMessageChunk]:
        """Yield an answer piece by piece; the pieces add up to one message."""
        ...

    def conclude(self, request: ModelRequest, message: AIMessage) -> Conclusion:
        """Read usage and finish reason out of a complete answer."""
        ...

    async def present(self) -> list[PresentModel]:
        """Ask the endpoint which models it has; also proves that it is up and the key good."""
        ...

    async def warm(self, model: str) -> None:
        """Load a model so that the next call need not wait; does nothing where that means nothing.

        Args:
            model: its name in the configuration.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and child processes."""
        ...
