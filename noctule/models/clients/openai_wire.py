"""ChatOpenAI as we need it: nothing a compatible host says is lost.

The installed ``ChatOpenAI`` (1.7.3) drops a provider's own cost when streaming, drops
``reasoning_content`` always, joins repeated finish reasons to ``stopstop``, sums usage that some
hosts report with every chunk, drops tool calls whose chunks carry no index, and shows a 200 that
is an error as a bare ``ValueError``. Here the stream and the plain answer are read once, by us.

Importing this takes about 1.4 s (openai, langchain-openai): ``openai.py`` does it in a thread.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import openai
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr

from noctule.models.clients.dialects import Dialect, dialect_of, fixes_temperature
from noctule.models.clients.openai_stream import StreamTail, straighten
from noctule.models.clients.texts import plain, text_of, thought_of

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
        return self._read(raw.http_response)

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
        if "json" in raw.headers.get("content-type", ""):  # it does not stream, or it is an error
            await raw.http_response.aread()
            yield _as_chunk(self._read(raw.http_response))
            return
        tail = StreamTail()
        async with raw.parse(to=openai.AsyncStream[object]) as stream:  # dicts, not models
            async for piece in self._deltas(stream, tail):
                yield piece
        yield tail.chunk(self.model_name)

    async def _deltas(
        self, stream: openai.AsyncStream[object], tail: StreamTail
    ) -> AsyncGenerator[AIMessageChunk]:
        async for chunk in stream:
            if not isinstance(chunk, dict):
                continue
            for choice in tail.take(chunk):
                straighten(choice["delta"], tail)
                message = self._piece(choice)
                if message is not None:
                    yield message

    def _piece(self, choice: dict[str, Any]) -> AIMessageChunk | None:
        delta = choice["delta"]
        thought = _take_thought(delta)
        made = self._convert_chunk_to_generation_chunk(
            {"choices": [{"delta": delta}]}, AIMessageChunk, None
        )
        if made is None or not isinstance(made.message, AIMessageChunk):
            return None
        message = made.message
        message.response_metadata = {}
        if thought:
            message.additional_kwargs["reasoning_content"] = thought
        if signatures := _signatures(delta.get("tool_calls")):
            message.additional_kwargs["tool_call_extras"] = signatures
        return message

    def _read(self, response: Any) -> AIMessage:
        body = _parsed(response)
        choice = _only_choice(body)
        error = body.get("error") or (choice or {}).get("error")
        if error:
            raise _as_error(error, response.request)
        if choice is None or not isinstance(choice.get("message"), dict):
            raise openai.APIResponseValidationError(response=response, body=dict(body))
        return self._as_message(body, choice, response.headers.get("x-litellm-response-cost"))

    def _as_message(
        self, body: Mapping[str, Any], choice: dict[str, Any], header_usd: str | None
    ) -> AIMessage:
        said = choice["message"] = {"role": "assistant", **choice["message"]}
        thought = _take_thought(said)
        made = self._create_chat_result({**body, "choices": [choice]}).generations[0].message
        if not isinstance(made, AIMessage):  # a role other than assistant
            made = AIMessage(content=text_of(said.get("content")))
        tail = StreamTail(header_usd=header_usd)
        tail.take(body)
        made.usage_metadata = tail.usage_metadata
        made.response_metadata = tail.metadata(self.model_name)
        if thought:
            made.additional_kwargs["reasoning_content"] = thought
        if signatures := _signatures(said.get("tool_calls")):
            made.additional_kwargs["tool_call_extras"] = signatures
        return made

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
                trust_env=trust_env, limits=_limits(keep_alive=keep_alive)
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


def _as_chunk(message: AIMessage) -> AIMessageChunk:
    """A whole answer as the only piece of a stream."""
    return AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        tool_calls=message.tool_calls,
        invalid_tool_calls=message.invalid_tool_calls,
        chunk_position="last",
    )


def _as_error(error: Any, request: Any) -> openai.APIError:
    """An error in a 200, as the SDK raises one in the middle of a stream."""
    words = error.get("message") if isinstance(error, Mapping) else error
    return openai.APIError(str(words or error), request, body=error)


def _parsed(response: Any) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:  # no JSON, or no UTF-8
        body = response.text
    if not isinstance(body, Mapping):
        raise openai.APIResponseValidationError(response=response, body=body)
    return body


def _only_choice(body: Mapping[str, Any]) -> dict[str, Any] | None:
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return dict(choices[0])
    return None


def _take_thought(said: dict[str, Any]) -> str:
    """Take the thinking out of a message or delta, leaving its content plain text."""
    content = said.get("content")
    thought = said.get("reasoning_content") or said.get("reasoning") or thought_of(content)
    said["content"] = text_of(content)
    return thought if isinstance(thought, str) else ""


def _signatures(tool_calls: Any) -> dict[str, Any]:
    """Gemini's thought signatures by call id; it refuses tool results without them."""
    return {
        call["id"]: call["extra_content"]
        for call in tool_calls or ()
        if isinstance(call, dict) and call.get("id") and call.get("extra_content")
    }
