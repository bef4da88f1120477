"""``kind: ollama``: Ollama by its own API, which alone can set the context window."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from noctule.core.settings.endpoint import EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Conclusion, ModelRequest, PresentModel
from noctule.models.clients.openai.client import PRESENT_TIMEOUT_S, bound_tools
from noctule.models.wire.bodies import merged
from noctule.models.wire.dialects import family
from noctule.models.wire.finish import STOP, TOOL_CALLS, finish_reason
from noctule.models.wire.loopback import is_on_this_machine
from noctule.models.wire.message_order import orderly
from noctule.models.wire.schemas import asked_in_words
from noctule.models.wire.texts import text_of
from noctule.models.wire.usage import ollama_usage

if TYPE_CHECKING:
    from noctule.models.clients.ollama.wire import NativeChat

DEFAULT_URL = "http://127.0.0.1:11434"
DEFAULT_CONTEXT = 8192
DEFAULT_KEEP_ALIVE = timedelta(minutes=30)
LOADING_TIMEOUT_S = 600.0

_FOREVER = -1
_FIELDS = frozenset({"think", "format", "logprobs", "top_logprobs", "keep_alive"})
_BYTES_PER_TOKEN = 4
_FAR_BELOW = 1.6
_WORTH_ESTIMATING_BYTES = 4000


class OllamaClient:
    """One Ollama server.

    Args:
        endpoint: its settings.
        models: its models by name.
    """

    def __init__(self, endpoint: EndpointSettings, models: Mapping[str, ModelSettings]) -> None:
        self._endpoint = endpoint
        self._models = models
        self._url = endpoint.url or DEFAULT_URL
        self._building = asyncio.Lock()
        self._built: NativeChat | None = None
        self._thinkers: dict[str, bool] = {}

    async def answer(self, request: ModelRequest) -> AIMessage:
        """Return a complete answer without streaming.

        Raises:
            ollama.ResponseError: the server refused.
            ConnectionError: nobody listens.
            httpx.HTTPError: the connection failed.
        """
        chat, messages, options = await self._prepare(request)
        return await chat.answer(messages, **options)

    async def stream(self, request: ModelRequest) -> AsyncIterator[AIMessageChunk]:
        """Yield an answer piece by piece.

        Raises:
            ollama.ResponseError: the server refused, also in the middle of the stream.
            httpx.HTTPError: it could not be reached, or the connection failed.
            ValueError: a line of the stream is no JSON.
        """
        chat, messages, options = await self._prepare(request)
        async with aclosing(chat.pieces(messages, **options)) as pieces:
            async for piece in pieces:
                yield piece

    def conclude(self, request: ModelRequest, message: AIMessage) -> Conclusion:
        """Read usage and finish reason out of a complete answer."""
        said = message.response_metadata
        reason = finish_reason(said.get("done_reason"))
        usage = ollama_usage(said)
        return Conclusion(
            usage=usage,
            finish_reason=TOOL_CALLS if reason == STOP and message.tool_calls else reason,
            truncated_prompt=_is_far_below(usage.input_tokens, request.messages),
        )

    async def present(self) -> list[PresentModel]:
        """Ask which models are there, what they can do, and which are loaded how.

        Raises:
            ollama.ResponseError: the server refused.
            ConnectionError: nobody listens.
            httpx.HTTPError: the connection failed.
        """
        from noctule.models.clients.ollama.catalogue import present_models  # noqa: PLC0415 - heavy

        chat = await self._chat(connect_s=PRESENT_TIMEOUT_S, total_s=PRESENT_TIMEOUT_S)
        return await present_models(chat.native)

    async def warm(self, model: str) -> None:
        """Load a model with the context its calls will use, so that none has to wait for it.

        Args:
            model: its name in the configuration.

        Raises:
            ollama.ResponseError: the server does not have it, or cannot load it.
            ConnectionError: nobody listens.
        """
        settings = self._models[model]
        chat = await self._chat(connect_s=PRESENT_TIMEOUT_S, total_s=LOADING_TIMEOUT_S)
        await chat.native.chat(
            model=settings.name,
            messages=[],
            options={"num_ctx": _context(settings)},
            keep_alive=self._keep_alive(),
        )

    async def close(self) -> None:
        """Close every connection."""
        built, self._built = self._built, None
        if built is not None:
            await built.native.close()  # type: ignore[no-untyped-call]  # ollama leaves it untyped

    async def _chat(self, *, connect_s: float, total_s: float) -> "NativeChat":
        if self._built is None:
            async with self._building:
                if self._built is None:
                    self._built = await asyncio.to_thread(self._build)
        from noctule.models.clients.ollama.wire import set_timeout  # noqa: PLC0415 - heavy

        set_timeout(connect_s=connect_s, total_s=total_s)
        return self._built

    def _build(self) -> "NativeChat":
        from noctule.models.clients.ollama.wire import build_chat  # noqa: PLC0415 - heavy

        key = self._endpoint.key
        return build_chat(
            url=self._url,
            key=key.get_secret_value() if key else None,
            headers=self._endpoint.headers,
            trust_env=not is_on_this_machine(urlsplit(self._url).hostname),
        )

    async def _prepare(
        self, request: ModelRequest
    ) -> tuple["NativeChat", list[BaseMessage], dict[str, Any]]:
        settings = self._models[request.model]
        chat = await self._chat(connect_s=request.connect_s, total_s=request.total_s)
        body = self._body(settings, request)
        if request.thinking is not None:
            think = await self._think(chat, settings, wanted=request.thinking)
            if think is not None:
                body["think"] = think
        if "think" in body:
            body["reasoning"] = body.pop("think")  # what the library calls it
        options = {"model": settings.name, **body, **bound_tools(chat.bind_tools, request)}
        options.pop("tool_choice", None)  # Ollama has none
        messages = list(request.messages)
        if request.json_schema is not None and not settings.json_schema:
            messages = asked_in_words(messages, request.json_schema)
        return chat, orderly(messages), options

    def _body(self, settings: ModelSettings, request: ModelRequest) -> dict[str, Any]:
        """Put the body together; fields that are none of Ollama's are model options."""
        configured = merged(
            self._endpoint.extra_body,
            settings.extra_body,
            request.extra.get("extra_body") or {},
        )
        given = configured.pop("options", {})
        loose = {name: configured.pop(name) for name in list(configured) if name not in _FIELDS}
        wanted = {
            "num_ctx": _context(settings),
            "num_predict": request.max_tokens,
            "temperature": request.temperature,
            "stop": list(request.stop) if request.stop else None,
        }
        named = {name: value for name, value in wanted.items() if value is not None}
        body = {"keep_alive": self._keep_alive(), **configured}
        body["options"] = {**loose, **given, **named}
        if request.json_schema is not None and settings.json_schema:
            body["format"] = dict(request.json_schema)
        elif "response_format" in request.extra:
            body["response_format"] = request.extra["response_format"]
        return body

    async def _think(
        self, chat: "NativeChat", settings: ModelSettings, *, wanted: bool
    ) -> bool | str | None:
        """Say what to send: asking a model to think that cannot is a 400 (not asking is none)."""
        if "gpt-oss" in family(settings.name):  # knows levels only and always thinks a little
            return "medium" if wanted else "low"
        if wanted and settings.thinking is None and not await self._can_think(chat, settings.name):
            return None
        return wanted

    async def _can_think(self, chat: "NativeChat", name: str) -> bool:
        if name not in self._thinkers:
            shown = await chat.native.show(name)
            # None is a server too old to say; it is asked and may refuse in its own words.
            self._thinkers[name] = shown.capabilities is None or "thinking" in shown.capabilities
        return self._thinkers[name]

    def _keep_alive(self) -> int:
        """Return seconds; -1 means for ever."""
        keep_alive = self._endpoint.keep_alive
        if keep_alive == "forever":
            return _FOREVER
        given = DEFAULT_KEEP_ALIVE if keep_alive is None else keep_alive
        return int(given.total_seconds())


def _context(settings: ModelSettings) -> int:
    """One per model, always the same: another one would make Ollama load the model again."""
    return settings.context or DEFAULT_CONTEXT


def _is_far_below(counted: int | None, sent: Sequence[BaseMessage]) -> bool:
    """Whether so few tokens were evaluated that part of the prompt must have been dropped.

    Text has about 4 bytes a token in any script; 6.4 and more on a long prompt means that a
    third of it or more is missing. Ollama says nothing when it drops messages.
    """
    size = sum(len(text_of(message.content).encode(errors="replace")) for message in sent)
    if counted is None or size < _WORTH_ESTIMATING_BYTES:
        return False
    return size / _BYTES_PER_TOKEN > counted * _FAR_BELOW
