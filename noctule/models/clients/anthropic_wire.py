"""ChatAnthropic as we need it: one pool, the whole usage, caching on every request.

The installed ``ChatAnthropic`` (1.7.7) takes usage from ``message_delta`` alone (servers that
imitate the API report the input only at the start, so it would be 0), adds up the cumulative
reports of several, and makes a pool of its own per timeout. Here the usage is gathered by us.

Importing this takes about a second (anthropic, langchain-anthropic): ``anthropic.py`` does it in
a thread.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import cached_property
from typing import Any

import anthropic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from pydantic import PrivateAttr

from noctule.models.clients.usage import anthropic_usage

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
        said = await _message_of(raw)
        made = self._format_output(said).generations[0].message
        if not isinstance(made, AIMessage):
            raise TypeError(f"langchain-anthropic made a {type(made).__name__} of an answer")
        tail = _Tail(self.model)
        tail.start(said)
        tail.end(said.usage, said.stop_reason)
        made.usage_metadata, made.response_metadata = tail.usage_metadata, tail.metadata
        return made

    async def pieces(
        self, messages: Sequence[BaseMessage], **options: Any
    ) -> AsyncGenerator[AIMessageChunk]:
        """Yield an answer as it comes; the last piece carries usage and stop reason.

        Raises:
            anthropic.AnthropicError: as ``answer`` does, also in the middle of the stream.
            ValueError: an event is no JSON.
        """
        raw = await self._acreate(self._payload(messages, {**options, "stream": True}))
        tail = _Tail(self.model)
        if "json" in raw.headers.get("content-type", ""):
            await _message_of(raw)  # raises: what does not stream is an error
        stream = await raw.parse()
        begun = None
        async with stream:
            async for event in stream:
                if event.type == "message_start":
                    tail.start(event.message)
                elif event.type == "message_delta":
                    tail.end(event.usage, event.delta.stop_reason)
                else:
                    piece, begun = self._make_message_chunk_from_anthropic_event(
                        event, coerce_content_to_string=False, block_start_event=begun
                    )
                    if piece is not None:
                        piece.response_metadata = {}
                        yield piece
        yield tail.chunk()

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
                trust_env=trust_env, mounts={} if trust_env else _NO_PROXY
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


class _Tail:
    """What an answer says besides its content; the last word counts."""

    def __init__(self, model: str) -> None:
        self._reports: list[dict[str, Any]] = []
        self._told: dict[str, Any] = {"model_provider": "anthropic", "model_name": model}

    def start(self, message: Any) -> None:
        """Note the head of an answer."""
        self._told |= {"id": message.id, "model_name": message.model or self._told["model_name"]}
        self._report(message.usage)

    def end(self, usage: Any, stop_reason: str | None) -> None:
        """Note how it ended."""
        self._report(usage)
        if stop_reason is not None:
            self._told["stop_reason"] = stop_reason

    def _report(self, usage: Any) -> None:
        if usage is not None:
            self._reports.append(usage.model_dump(warnings=False))

    @property
    def metadata(self) -> dict[str, Any]:
        """A message's response metadata; without a stop reason when none was said."""
        return {**self._told, "usage_reports": self._reports}

    @property
    def usage_metadata(self) -> UsageMetadata | None:
        """The usage in LangChain's form; None when it was not said."""
        usage = anthropic_usage(self._reports)
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        return UsageMetadata(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=usage.input_tokens + usage.output_tokens,
            input_token_details=InputTokenDetails(
                cache_read=usage.cached_tokens or 0, cache_creation=usage.cache_write_tokens or 0
            ),
        )

    def chunk(self) -> AIMessageChunk:
        """Return the last piece of a stream."""
        return AIMessageChunk(
            content="",
            usage_metadata=self.usage_metadata,
            response_metadata=self.metadata,
            chunk_position="last",
        )


async def _message_of(raw: Any) -> Any:
    """Parse an answer that came with a 200, whatever it is."""
    response = raw.http_response
    await response.aread()
    try:
        body = response.json()
    except ValueError:  # no JSON, or no UTF-8
        body = response.text
    if isinstance(body, Mapping) and body.get("error"):
        error = body["error"]
        words = error.get("message") if isinstance(error, Mapping) else error
        raise anthropic.APIError(str(words or error), response.request, body=dict(body))
    if not isinstance(body, Mapping) or not isinstance(body.get("content"), list):
        raise anthropic.APIResponseValidationError(response=response, body=body)
    return await raw.parse()
