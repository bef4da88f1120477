"""``kind: openai``: any OpenAI-compatible URL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from noctule.core.settings.endpoint import EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Conclusion, ModelRequest, PresentModel
from noctule.models.clients.openai.catalogue import present_models
from noctule.models.clients.openai.token_counting import server_count
from noctule.models.wire.bodies import merged
from noctule.models.wire.declared import (
    capabilities_of_profile,
    capabilities_of_props,
    is_llama_cpp,
)
from noctule.models.wire.dialects import Dialect, dialect_of
from noctule.models.wire.finish import STOP, TOOL_CALLS, finish_reason
from noctule.models.wire.loopback import is_on_this_machine
from noctule.models.wire.message_order import orderly
from noctule.models.wire.schemas import asked_in_words, response_format
from noctule.models.wire.usage import openai_usage

if TYPE_CHECKING:
    from noctule.models.clients.openai.wire import OpenAIWire, WireChat

PRESENT_TIMEOUT_S = 15.0
_NOT_FOR_THE_WIRE = frozenset({"ls_structured_output_format", "extra_body", "response_format"})


class OpenAIClient:
    """One OpenAI-compatible endpoint.

    Args:
        endpoint: its settings.
        models: the configured models by name; those of other endpoints do not matter.
    """

    def __init__(self, endpoint: EndpointSettings, models: Mapping[str, ModelSettings]) -> None:
        self._endpoint = endpoint
        self._models = models
        self._building = asyncio.Lock()
        self._built: OpenAIWire | None = None
        self._may_count = True

    async def answer(self, request: ModelRequest) -> AIMessage:
        """Return a complete answer without streaming.

        Raises:
            openai.OpenAIError: the host refused, failed or could not be reached.
        """
        chat, messages, options = await self._prepare(request)
        return await chat.answer(messages, **options)

    async def stream(self, request: ModelRequest) -> AsyncIterator[AIMessageChunk]:
        """Yield an answer piece by piece.

        Raises:
            openai.OpenAIError: as ``answer`` does, also in the middle of the stream.
            ValueError: a piece of the stream is no JSON.
        """
        chat, messages, options = await self._prepare(request)
        async with aclosing(chat.pieces(messages, **options)) as pieces:
            async for piece in pieces:
                yield piece

    def conclude(self, request: ModelRequest, message: AIMessage) -> Conclusion:
        """Read usage and finish reason out of a complete answer."""
        del request
        said = message.response_metadata
        reason = finish_reason(said.get("finish_reason"))
        return Conclusion(
            usage=openai_usage(said.get("token_usage"), header_usd=said.get("header_usd")),
            finish_reason=TOOL_CALLS if reason == STOP and message.tool_calls else reason,
        )

    async def count_tokens(self, request: ModelRequest) -> int | None:
        """Have a server of one's own count a prompt; see ``CountsTokens``.

        Raises:
            openai.OpenAIError: it is not reachable.
        """
        if not (self._endpoint.is_local and self._may_count):
            return None
        chat, messages, options = await self._prepare(request)
        payload = chat._get_request_payload(messages, **options)  # noqa: SLF001 - our own class
        self._may_count = (count := await server_count(await self._wire(), payload)) is not None
        return count

    async def present(self) -> list[PresentModel]:
        """Ask the endpoint which models it has.

        Raises:
            openai.OpenAIError: it is not reachable, or does not accept the key.
        """
        wire = await self._wire()
        timeout = wire.timeout(connect_s=PRESENT_TIMEOUT_S, total_s=PRESENT_TIMEOUT_S)
        if self._dialect.name == "openrouter":  # its list is public and would accept any key
            await wire.sdk.get("/key", cast_to=object, options={"timeout": timeout})
        listed = await wire.sdk.get("/models", cast_to=object, options={"timeout": timeout})
        declared = await self._declared(wire) if is_llama_cpp(listed) else None
        return [self._with_declared(wire, one, declared) for one in present_models(listed)]

    async def _declared(self, wire: "OpenAIWire") -> frozenset[str] | None:
        """Ask llama.cpp what its template can say; None when it does not tell."""
        timeout = wire.timeout(connect_s=PRESENT_TIMEOUT_S, total_s=PRESENT_TIMEOUT_S)
        root = str(wire.sdk.base_url).rstrip("/").removesuffix("/v1")
        try:
            props = await wire.sdk.get(
                f"{root}/props", cast_to=object, options={"timeout": timeout}
            )
        except Exception:  # noqa: BLE001 - what is only said is not worth failing for
            return None
        return capabilities_of_props(props)

    def _with_declared(
        self, wire: "OpenAIWire", model: PresentModel, declared: frozenset[str] | None
    ) -> PresentModel:
        """Add what is declared of a model elsewhere, where the list says nothing itself."""
        names = {own.name for own in self._models.values()}
        if model.capabilities is None and declared is None and self._endpoint.url is None:
            profile = wire.chat(model.name).profile if model.name in names else None
            declared = capabilities_of_profile(profile)
        return model if model.capabilities is not None else replace(model, capabilities=declared)

    async def warm(self, model: str) -> None:
        """Do nothing: what is behind the URL is somebody else's to load."""

    async def close(self) -> None:
        """Close every connection."""
        built, self._built = self._built, None
        if built is not None:
            await built.close()

    @property
    def _dialect(self) -> Dialect:
        return dialect_of(self._endpoint.url)

    async def _wire(self) -> "OpenAIWire":
        if self._built is None:
            async with self._building:
                if self._built is None:
                    key = self._endpoint.key
                    self._built = await asyncio.to_thread(
                        build_wire,
                        url=self._endpoint.url,
                        key=key.get_secret_value() if key else None,
                        headers=self._endpoint.headers,
                    )
        return self._built

    async def _prepare(
        self, request: ModelRequest
    ) -> tuple["WireChat", list[BaseMessage], dict[str, Any]]:
        settings = self._models[request.model]
        wire = await self._wire()
        chat = wire.chat(settings.name)
        options = {
            **self._tools(chat, request),
            **{k: v for k, v in request.extra.items() if k not in _NOT_FOR_THE_WIRE},
            "extra_body": self._extra_body(settings, request),
            "timeout": wire.timeout(connect_s=request.connect_s, total_s=request.total_s),
        }
        set_options = {
            "stop": list(request.stop) if request.stop else None,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
        }
        for name, value in set_options.items():
            if value is not None:
                options.setdefault(name, value)
        return chat, orderly(self._messages(settings, request)), options

    def _messages(self, settings: ModelSettings, request: ModelRequest) -> list[BaseMessage]:
        if request.json_schema is None or settings.json_schema:
            return list(request.messages)
        return asked_in_words(request.messages, request.json_schema)

    def _extra_body(self, settings: ModelSettings, request: ModelRequest) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        if request.thinking is not None:
            wanted |= self._dialect.thinking(settings.name, request.thinking)
        if request.json_schema is not None and settings.json_schema:
            wanted["response_format"] = response_format(request.json_schema)
        elif "response_format" in request.extra:
            wanted["response_format"] = request.extra["response_format"]
        return merged(
            self._endpoint.extra_body,
            settings.extra_body,
            wanted,
            request.extra.get("extra_body") or {},
        )

    def _tools(self, chat: "WireChat", request: ModelRequest) -> dict[str, Any]:
        return bound_tools(chat.bind_tools, request, ("strict", "parallel_tool_calls"))


def bound_tools(
    bind: Callable[..., Any],
    request: ModelRequest,
    options: tuple[str, ...] = (),
    *,
    choice: Any = None,
) -> dict[str, Any]:
    """Return what a LangChain model's ``bind_tools`` makes of a request's tools.

    Args:
        bind: the model's method.
        request: its tools and tool choice are taken.
        options: names of bound arguments that belong to ``bind_tools``.
        choice: the tool choice in the model's own words; None takes the request's.
    """
    if not request.tools:
        return {}
    taken = {name: request.extra[name] for name in options if name in request.extra}
    bound = bind(list(request.tools), tool_choice=choice or request.tool_choice, **taken)
    return dict(bound.kwargs)


def build_wire(
    *, url: str | None, key: str | None, headers: Mapping[str, str], keep_alive: bool = True
) -> "OpenAIWire":
    """Import the libraries and build a pool: 1.4 s the first time, so do it in a thread."""
    from noctule.models.clients.openai.wire import OpenAIWire  # noqa: PLC0415 - heavy

    return OpenAIWire(
        url=url,
        key=key,
        headers=headers,
        trust_env=not is_on_this_machine(urlsplit(url or "").hostname),
        keep_alive=keep_alive,
    )
