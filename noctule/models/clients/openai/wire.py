"""ChatOpenAI as we need it: nothing a compatible host says is lost.

The installed ``ChatOpenAI`` (1.7.3) drops a provider's own cost when streaming, drops
``reasoning_content`` always, joins repeated finish reasons to ``stopstop``, sums usage that some
hosts report with every chunk, drops tool calls whose chunks carry no index, and shows a 200 that
is an error as a bare ``ValueError``. Here the stream and the plain answer are read once, by us.

Importing this takes about 1.4 s (openai, langchain-openai): ``client.py`` does it in a thread.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

import openai
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr

from noctule.models.clients.openai.reader import AnswerReader
from noctule.models.wire.chunks import join
from noctule.models.wire.dialects import Dialect, dialect_of, fixes_temperature
from noctule.models.wire.documents import documents, documents_in
from noctule.models.wire.sending import watch
from noctule.models.wire.texts import plain

_DRAINING_S = 0.5
NO_KEY = "none"  # the SDK insists on one; servers of one's own do not look at it


class WireChat(ChatOpenAI):
    """One model behind an OpenAI-compatible URL."""

    _dialect: Dialect = PrivateAttr(default_factory=lambda: dialect_of(None))

    async def answer(self, messages: Sequence[BaseMessage], **options: Any) -> AIMessage:
        """Return a complete answer.

        Raises:
            openai.OpenAIError: the host refused, could not be reached, or answered with an error.
                A 200 that is no answer is one of these too, with the response in it.
        """
        payload = self._get_request_payload(list(messages), **options)
        raw = await self.async_client.with_raw_response.create(**payload)
        return join(self._read(raw.http_response))

    async def pieces(
        self, messages: Sequence[BaseMessage], **options: Any
    ) -> AsyncGenerator[AIMessageChunk]:
        """Yield an answer as it comes; the last piece carries usage and finish reason.

        Raises:
            openai.OpenAIError: as ``answer`` does, also in the middle of the stream.
            ValueError: a chunk is no JSON.
        """
        options |= {"stream": True, "stream_options": {"include_usage": True}}
        payload = self._get_request_payload(list(messages), **options)
        raw = await self.async_client.with_raw_response.create(**payload)
        response = raw.http_response
        try:
            if "json" in response.headers.get("content-type", ""):  # no stream, or an error
                await response.aread()
                for piece in self._read(response):
                    yield piece
                return
            async for piece in self._streamed(response):
                yield piece
        finally:
            await response.aclose()

    async def _streamed(self, response: Any) -> AsyncGenerator[AIMessageChunk]:
        reader = self._reader(response)
        done = False
        chunks = response.aiter_bytes()
        async with aclosing(documents(chunks)) as parts:
            async for document in parts:
                if document.ends:
                    done = True
                    break
                _raise_error(document.value, document.event, response.request)
                if isinstance(document.value, Mapping) and (piece := reader.take(document.value)):
                    yield piece
        if done:
            await _drain(chunks)
        yield reader.end(done=done)

    def _read(self, response: Any) -> list[AIMessageChunk]:
        """Read a body that has come whole: an answer, or the events of a stream nobody wanted."""
        reader = self._reader(response)
        pieces = []
        for value, event in _values(response):
            _raise_error(value, event, response.request)
            if isinstance(value, Mapping) and (piece := reader.take(value)):
                pieces.append(piece)
        if not reader.said_anything:
            raise openai.APIResponseValidationError(response=response, body=response.text)
        return [*pieces, reader.end()]

    def _reader(self, response: Any) -> AnswerReader:
        cost = response.headers.get("x-litellm-response-cost")
        return AnswerReader(self.model_name, header_usd=cost)

    def _get_request_payload(
        self,
        input_: LanguageModelInput,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = plain(self._convert_input(input_).to_messages())
        payload: dict[str, Any] = super()._get_request_payload(messages, stop=stop, **kwargs)
        if "max_completion_tokens" in payload:
            payload[self._dialect.max_tokens] = payload.pop("max_completion_tokens")
        extra = payload.get("extra_body") or {}
        if self._dialect.name in {"openai", "azure"} and fixes_temperature(self.model_name, extra):
            payload.pop("temperature", None)
        for message, sent in zip(messages, payload["messages"], strict=True):
            if sent.get("tool_calls") and not sent.get("content") and self._leaves_content_out:
                del sent["content"]
            if isinstance(message, AIMessage):
                self._give_back(message, sent)
        return payload

    @property
    def _leaves_content_out(self) -> bool:
        """Whether a message of calls alone has no ``content`` at all.

        The big hosts document ``null``. Elsewhere it is what most servers take: templates fail on
        null, Bedrock and its proxies refuse "" (checked in their issue threads, 2026-11).
        """
        return self._dialect.name == "any"

    def _give_back(self, message: AIMessage, sent: dict[str, Any]) -> None:
        thought = message.additional_kwargs.get("reasoning_content")
        if thought and message.tool_calls and self._dialect.echoes_thinking:
            sent["reasoning_content"] = thought
        if self._dialect.name != "gemini":
            return
        extras = message.additional_kwargs.get("tool_call_extras") or {}
        for call in sent.get("tool_calls") or ():
            if call.get("id") in extras:
                call["extra_content"] = extras[call["id"]]


class OpenAIWire:
    """One HTTP pool to one base URL, and the chat models that share it.

    Args:
        url: the base URL; None means OpenAI's own.
        key: the API key; None means that the server wants none.
        headers: added to every request.
        trust_env: whether proxy variables of the environment apply.
        keep_alive: whether a connection may serve several requests.
    """

    def __init__(
        self,
        *,
        url: str | None,
        key: str | None,
        headers: Mapping[str, str],
        trust_env: bool,
        keep_alive: bool = True,
    ) -> None:
        self._dialect = dialect_of(url)
        self._chats: dict[str, WireChat] = {}
        self.sdk = openai.AsyncOpenAI(
            api_key=key or NO_KEY,
            base_url=url or "https://api.openai.com/v1",
            default_headers=dict(headers),
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                trust_env=trust_env,
                limits=_limits(keep_alive=keep_alive),
                event_hooks={"request": [watch]},
            ),
        )

    def chat(self, name: str) -> WireChat:
        """Return the chat model of a provider's model name, built once."""
        if name not in self._chats:
            completions = self.sdk.chat.completions
            chat = WireChat(
                model=name,
                api_key=NO_KEY,  # the client below has the real one
                base_url=str(self.sdk.base_url),
                client=completions,  # keeps it from building a second, synchronous pool
                root_client=self.sdk,
                async_client=completions,
                root_async_client=self.sdk,
                max_retries=0,
                stream_usage=True,
                stream_chunk_timeout=None,
                use_responses_api=False,
            )
            chat._dialect = self._dialect  # noqa: SLF001 - pydantic takes no private attributes
            self._chats[name] = chat
        return self._chats[name]

    @staticmethod
    def timeout(*, connect_s: float, total_s: float) -> openai.Timeout:
        """Return the SDK's form of our timeouts, in seconds."""
        return openai.Timeout(total_s, connect=connect_s)

    async def close(self) -> None:
        """Close every connection."""
        await self.sdk.close()


def _limits(*, keep_alive: bool) -> Any:
    """The pool's limits, of the SDK's own kind: its httpx need not be the one we import."""
    usual = openai.DEFAULT_CONNECTION_LIMITS
    return type(usual)(
        max_connections=usual.max_connections,
        max_keepalive_connections=usual.max_keepalive_connections if keep_alive else 0,
        keepalive_expiry=usual.keepalive_expiry,
    )


def _raise_error(value: Any, event: str, request: Any) -> None:
    """Raise the error that a value of a 200 is; do nothing for what is none.

    Raises:
        openai.APIError: as the SDK raises one in the middle of a stream.
    """
    if not isinstance(value, Mapping):
        return
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    error = value.get("error") or (choice.get("error") if isinstance(choice, Mapping) else None)
    is_bare = choice is None and (
        event == "error"
        or value.get("object") == "error"  # vLLM
        or any(isinstance(value.get(name), str) for name in ("detail", "message"))
    )
    if error is None and is_bare:
        error = dict(value)
    if error:
        words = error.get("message") if isinstance(error, Mapping) else error
        raise openai.APIError(str(words or error), request, body=error)


def _values(response: Any) -> list[tuple[Any, str]]:
    """Return the JSON values of a whole body; none when it is something else."""
    try:
        return [(response.json(), "")]
    except ValueError:  # no JSON, or no UTF-8
        pass
    try:
        return [(d.value, d.event) for d in documents_in(response.content) if not d.ends]
    except ValueError:
        return []


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read the end of a body, so that its connection can be used again; do not wait for it."""
    with suppress(Exception):
        async with asyncio.timeout(_DRAINING_S):
            async for _ in chunks:
                pass
