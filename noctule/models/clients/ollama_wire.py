"""ChatOllama as we need it: thinking kept, nothing guessed, a torn stream recognisable.

The installed ``ChatOllama`` (1.1.0) streams even when asked for a whole answer, so that one that
breaks off looks complete; it drops the thinking of models that think by default; and it parses
text arguments of tools that happen to be JSON into objects, so that no tool could be handed the
contents of a JSON file. Here the parts of an answer are read by us.

Importing this takes about half a second: ``ollama.py`` does it in a thread.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

import httpx
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call
from langchain_ollama import ChatOllama
from ollama import AsyncClient, ChatResponse

from noctule.models.clients.texts import plain
from noctule.models.clients.usage import ollama_usage

_timeout: ContextVar[httpx.Timeout] = ContextVar("_timeout")


class NativeChat(ChatOllama):
    """Every model of one Ollama server; the model's name comes with each request."""

    async def answer(self, messages: Sequence[BaseMessage], **options: Any) -> AIMessage:
        """Return a complete answer, really asked for as a whole.

        Raises:
            ollama.ResponseError: the server refused.
            ConnectionError: nobody listens.
            httpx.HTTPError: the connection failed.
            ValueError: the body is no JSON.
        """
        asked = self._chat_params(plain(messages), **options, stream=False)
        return _as_message(await self.native.chat(**asked))

    async def pieces(
        self, messages: Sequence[BaseMessage], **options: Any
    ) -> AsyncGenerator[AIMessageChunk]:
        """Yield an answer as it comes; only the last piece of a whole one has metadata.

        Raises:
            ollama.ResponseError: the server refused, also in the middle of the stream.
            httpx.HTTPError: it could not be reached, or the connection failed.
            ValueError: a line is no JSON.
        """
        asked = self._chat_params(plain(messages), **options, stream=True)
        parts = await self.native.chat(**asked)
        try:
            async for part in parts:
                message = _as_message(part)
                yield AIMessageChunk(
                    content=message.content,
                    additional_kwargs=message.additional_kwargs,
                    tool_calls=message.tool_calls,
                    usage_metadata=message.usage_metadata,
                    response_metadata=message.response_metadata,
                    chunk_position="last" if part.done else None,
                )
        finally:
            await parts.aclose()

    @property
    def native(self) -> AsyncClient:
        """Ollama's own client, with the pool of connections."""
        return self._async_client


def build_chat(
    *, url: str, key: str | None, headers: Mapping[str, str], trust_env: bool
) -> NativeChat:
    """Return a server's chat models with one pool of connections.

    Args:
        url: where Ollama listens.
        key: the API key of Ollama's cloud; None sends none, whatever the environment holds.
        headers: added to every request.
        trust_env: whether proxy variables of the environment apply.
    """
    sent = dict(headers)
    if key is not None:
        sent["authorization"] = f"Bearer {key}"

    async def prepare(request: httpx.Request) -> None:
        request.extensions["timeout"] = _timeout.get(httpx.Timeout(None)).as_dict()
        if key is None:  # the library takes OLLAMA_API_KEY to any server
            request.headers.pop("authorization", None)

    return NativeChat(
        model="unnamed",
        base_url=url,
        client_kwargs={"headers": sent, "trust_env": trust_env},
        async_client_kwargs={"event_hooks": {"request": [prepare]}},
    )


def set_timeout(*, connect_s: float, total_s: float) -> None:
    """Set the timeouts of the requests that this task makes from now on.

    The library knows only timeouts of the whole client.
    """
    _timeout.set(httpx.Timeout(total_s, connect=connect_s))


def _as_message(part: ChatResponse) -> AIMessage:
    said = part.message
    calls = [
        tool_call(id=str(uuid4()), name=c.function.name, args=dict(c.function.arguments))
        for c in said.tool_calls or ()
    ]
    return AIMessage(
        content=said.content or "",
        additional_kwargs={"reasoning_content": said.thinking} if said.thinking else {},
        tool_calls=calls,
        usage_metadata=_usage_metadata(part),
        response_metadata=_metadata(part) if part.done else {},
    )


def _metadata(part: ChatResponse) -> dict[str, Any]:
    told = part.model_dump(exclude={"message", "done", "created_at"}, exclude_none=True)
    return {**told, "model_provider": "ollama", "model_name": part.model}


def _usage_metadata(part: ChatResponse) -> UsageMetadata | None:
    usage = ollama_usage(part.model_dump(include={"prompt_eval_count", "eval_count"}))
    sent, received = usage.input_tokens, usage.output_tokens
    if sent is None or received is None:
        return None
    return UsageMetadata(input_tokens=sent, output_tokens=received, total_tokens=sent + received)
