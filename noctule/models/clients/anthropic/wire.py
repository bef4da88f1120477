"""ChatAnthropic as we need it: one pool, the whole usage, caching on every request.

The installed ``ChatAnthropic`` (1.7.7) takes usage from ``message_delta`` alone (servers that
imitate the API report the input only at the start, so it would be 0), adds up the cumulative
reports of several, and makes a pool of its own per timeout. Here the usage is gathered by us.

Importing this takes about a second (anthropic, langchain-anthropic): ``client.py`` does it in
a thread.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property
from typing import Any

import anthropic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from pydantic import PrivateAttr

from noctule.models.clients.anthropic.reader import MessageReader
from noctule.models.wire.chunks import join
from noctule.models.wire.documents import JsonDocument, documents, documents_in
from noctule.models.wire.sending import watch

NO_KEY = "none"
OFFICIAL_URL = "https://api.anthropic.com"
_CACHED = {"cache_control": {"type": "ephemeral"}}
_NO_PROXY = {"http://": None, "https://": None, "all://": None}
"""The SDK reads the environment's proxies itself, whatever ``trust_env`` says."""

_UNCACHEABLE = frozenset({"thinking", "redacted_thinking"})


class ClaudeChat(ChatAnthropic):
    """One model behind the Messages API."""

    _sdk: anthropic.AsyncAnthropic = PrivateAttr()

    async def answer(self, messages: Sequence[BaseMessage], **options: Any) -> AIMessage:
        """Return a complete answer.

        Raises:
            anthropic.AnthropicError: the API refused, could not be reached, or answered with
                something that is no message.
        """
        raw = await self._acreate(self._payload(messages, options))
        await raw.http_response.aread()
        return join(self._read(raw.http_response))

    async def pieces(
        self, messages: Sequence[BaseMessage], **options: Any
    ) -> AsyncGenerator[AIMessageChunk]:
        """Yield an answer as it comes; the last piece carries usage and stop reason.

        Raises:
            anthropic.AnthropicError: as ``answer`` does, also in the middle of the stream.
            ValueError: an event is no JSON.
        """
        raw = await self._acreate(self._payload(messages, {**options, "stream": True}))
        response = raw.http_response
        reader = MessageReader(self.model)
        try:
            if "json" in response.headers.get("content-type", ""):  # no stream, or an error
                await response.aread()
                for piece in self._read(response):
                    yield piece
                return
            async with aclosing(documents(response.aiter_bytes())) as events:
                async for event in events:
                    for piece in _read_event(reader, event, response):
                        yield piece
            yield reader.end()
        finally:
            await response.aclose()

    def _read(self, response: Any) -> list[AIMessageChunk]:
        """Read a body that has come whole, as a message or as the events of one."""
        reader = MessageReader(self.model)
        pieces = []
        for event in _events(response):
            pieces += _read_event(reader, event, response)
        if not reader.said_anything:
            raise anthropic.APIResponseValidationError(response=response, body=response.text)
        return [*pieces, reader.end()]

    @cached_property
    def _async_client(self) -> anthropic.AsyncAnthropic:
        return self._sdk

    def _payload(self, messages: Sequence[BaseMessage], options: dict[str, Any]) -> dict[str, Any]:
        payload = self._get_request_payload(list(messages), **options)
        mark_for_caching(payload)
        return payload


class AnthropicWire:
    """One HTTP pool to one base URL, and the chat models that share it.

    Args:
        url: the base URL; None means Anthropic's own.
        key: the API key; None means that the server wants none.
        headers: added to every request.
        trust_env: whether proxy variables of the environment apply.
    """

    def __init__(
        self, *, url: str | None, key: str | None, headers: Mapping[str, str], trust_env: bool
    ) -> None:
        self._chats: dict[str, ClaudeChat] = {}
        self.sdk = anthropic.AsyncAnthropic(
            api_key=key or NO_KEY,  # given, so that no credentials are looked for elsewhere
            base_url=url or OFFICIAL_URL,
            default_headers=dict(headers),
            max_retries=0,
            http_client=anthropic.DefaultAsyncHttpxClient(
                trust_env=trust_env,
                mounts={} if trust_env else _NO_PROXY,
                event_hooks={"request": [watch]},
            ),
        )

    def chat(self, name: str) -> ClaudeChat:
        """Return the chat model of a provider's model name, built once."""
        if name not in self._chats:
            chat = ClaudeChat(
                model=name,
                api_key=NO_KEY,  # the client below has the real one
                base_url=str(self.sdk.base_url),
                max_retries=0,
            )
            chat._sdk = self.sdk  # noqa: SLF001 - pydantic takes no private attributes
            self._chats[name] = chat
        return self._chats[name]

    @staticmethod
    def timeout(*, connect_s: float, total_s: float) -> anthropic.Timeout:
        """Return the SDK's form of our timeouts, in seconds."""
        return anthropic.Timeout(total_s, connect=connect_s)

    async def close(self) -> None:
        """Close every connection."""
        await self.sdk.close()


def mark_for_caching(payload: dict[str, Any]) -> None:
    """Have the API cache the prompt up to the system text and up to the last message.

    Block by block instead of the newer field for the whole request, which servers that imitate
    the API refuse. Prompts under the model's minimum (1024 to 4096 tokens) are not cached and
    cost nothing extra; a cache write costs a quarter more than reading the tokens plainly.
    """
    if payload.get("system"):
        payload["system"] = _marked(payload["system"])
    if payload.get("messages"):
        *before, last = payload["messages"]
        payload["messages"] = [*before, {**last, "content": _marked(last["content"])}]


def _marked(content: Any) -> Any:
    if isinstance(content, str):
        return [{"type": "text", "text": content, **_CACHED}] if content else content
    *before, last = content
    if last.get("type") in _UNCACHEABLE or last.get("text") == "":
        return content
    return [*before, {**last, **_CACHED}]


def _events(response: Any) -> list[JsonDocument]:
    try:
        return [JsonDocument(response.json())]
    except ValueError:  # no JSON, or no UTF-8
        pass
    try:
        return documents_in(response.content)
    except ValueError:
        return []


def _read_event(reader: MessageReader, event: JsonDocument, response: Any) -> list[AIMessageChunk]:
    value = event.value
    if not isinstance(value, Mapping):
        return []
    if value.get("error"):
        error = value["error"]
        words = error.get("message") if isinstance(error, Mapping) else error
        raise anthropic.APIError(str(words or error), response.request, body=dict(value))
    return reader.take(value if "type" in value else {**value, "type": event.event})
