"""``kind: anthropic``: Claude by its own API, with prompt caching."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from noctule.core.settings.endpoint import EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Conclusion, ModelRequest, PresentModel
from noctule.models.clients.anthropic.claude import DEFAULT_MAX_TOKENS, Claude
from noctule.models.clients.openai.catalogue import present_models
from noctule.models.clients.openai.client import PRESENT_TIMEOUT_S, bound_tools
from noctule.models.wire.bodies import merged
from noctule.models.wire.finish import STOP, TOOL_CALLS, finish_reason
from noctule.models.wire.loopback import is_on_this_machine
from noctule.models.wire.message_order import orderly
from noctule.models.wire.schemas import asked_in_words, response_format, schema_name
from noctule.models.wire.usage import anthropic_usage

if TYPE_CHECKING:
    from noctule.models.clients.anthropic.wire import AnthropicWire, ClaudeChat

_FORCING = frozenset({"any", "tool"})


class AnthropicClient:
    """One endpoint that speaks the Messages API.

    Args:
        endpoint: its settings.
        models: its models by name.
    """

    def __init__(self, endpoint: EndpointSettings, models: Mapping[str, ModelSettings]) -> None:
        self._endpoint = endpoint
        self._models = models
        self._building = asyncio.Lock()
        self._built: AnthropicWire | None = None

    async def answer(self, request: ModelRequest) -> AIMessage:
        """Return a complete answer without streaming.

        Raises:
            anthropic.AnthropicError: the API refused, failed or could not be reached.
        """
        chat, messages, options = await self._prepare(request)
        as_text = _is_schema_tool(options)
        message = await chat.answer(messages, **options)
        return _text_of_tool(message) if as_text else message

    async def stream(self, request: ModelRequest) -> AsyncIterator[AIMessageChunk]:
        """Yield an answer piece by piece.

        Raises:
            anthropic.AnthropicError: as ``answer`` does, also in the middle of the stream.
            ValueError: a piece of the stream is no JSON.
        """
        chat, messages, options = await self._prepare(request)
        as_text = _is_schema_tool(options)
        async with aclosing(chat.pieces(messages, **options)) as pieces:
            async for piece in pieces:
                yield _text_of_tool_piece(piece) if as_text else piece

    def conclude(self, request: ModelRequest, message: AIMessage) -> Conclusion:
        """Read usage and finish reason out of a complete answer."""
        said = message.response_metadata
        reason = finish_reason(said.get("stop_reason"))
        if reason == TOOL_CALLS and request.json_schema is not None and not message.tool_calls:
            reason = STOP  # the tool was ours, and its arguments are the text
        return Conclusion(
            usage=anthropic_usage(said.get("usage_reports") or ()), finish_reason=reason
        )

    async def present(self) -> list[PresentModel]:
        """Ask which models the key may use.

        Raises:
            anthropic.AnthropicError: it is not reachable, or does not accept the key.
        """
        wire = await self._wire()
        timeout = wire.timeout(connect_s=PRESENT_TIMEOUT_S, total_s=PRESENT_TIMEOUT_S)
        listed = await wire.sdk.get(
            "/v1/models", cast_to=object, options={"timeout": timeout, "params": {"limit": 1000}}
        )
        return present_models(listed)

    async def warm(self, model: str) -> None:
        """Do nothing: what is behind the API is Anthropic's to load."""

    async def close(self) -> None:
        """Close every connection."""
        built, self._built = self._built, None
        if built is not None:
            await built.close()

    async def _wire(self) -> "AnthropicWire":
        if self._built is None:
            async with self._building:
                if self._built is None:
                    self._built = await asyncio.to_thread(self._build)
        return self._built

    def _build(self) -> "AnthropicWire":
        from noctule.models.clients.anthropic.wire import AnthropicWire  # noqa: PLC0415 - heavy

        key = self._endpoint.key
        return AnthropicWire(
            url=self._endpoint.url,
            key=key.get_secret_value() if key else None,
            headers=self._endpoint.headers,
            trust_env=not is_on_this_machine(urlsplit(self._endpoint.url or "").hostname),
        )

    async def _prepare(
        self, request: ModelRequest
    ) -> tuple["ClaudeChat", list[BaseMessage], dict[str, Any]]:
        settings = self._models[request.model]
        wire = await self._wire()
        chat = wire.chat(settings.name)
        claude = Claude(settings.name, chat.profile or {})
        max_tokens = request.max_tokens or DEFAULT_MAX_TOKENS
        options: dict[str, Any] = {
            "max_tokens": max_tokens,
            "timeout": wire.timeout(connect_s=request.connect_s, total_s=request.total_s),
            **_tools(chat, claude, request),
        }
        messages = list(request.messages)
        if request.json_schema is not None:
            held = _hold_to_schema(settings, claude, request)
            options |= held
            if not held:
                messages = asked_in_words(messages, request.json_schema)
        elif "response_format" in request.extra:
            options["response_format"] = request.extra["response_format"]
        if request.thinking is not None and not _is_forced(options):
            options |= claude.thinking(wanted=request.thinking, max_tokens=max_tokens)
        if request.stop:
            options["stop"] = list(request.stop)
        if request.temperature is not None and _may_be_tempered(claude, options):
            options["temperature"] = request.temperature
        extra = merged(
            self._endpoint.extra_body,
            settings.extra_body,
            request.extra.get("extra_body") or {},
        )
        return (
            chat,
            orderly(messages, blocks=True),
            options | ({"extra_body": extra} if extra else {}),
        )


def _tools(chat: "ClaudeChat", claude: Claude, request: ModelRequest) -> dict[str, Any]:
    bound = bound_tools(
        chat.bind_tools, request, ("parallel_tool_calls", "strict"), choice=_choice(request)
    )
    if _is_forced(bound) and not claude.can_be_forced:
        del bound["tool_choice"]
    return bound


def _choice(request: ModelRequest) -> Any:
    """Translate a tool choice said in OpenAI's words."""
    choice = request.tool_choice
    if choice is True or choice == "required":
        return "any"
    if choice == "none":
        return {"type": "none"}
    if isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping):
        return {"type": "tool", "name": choice["function"].get("name")}
    return choice or None


def _hold_to_schema(
    settings: ModelSettings, claude: Claude, request: ModelRequest
) -> dict[str, Any]:
    """Return what makes the API keep to a schema; nothing when words must do."""
    schema = request.json_schema
    if schema is None or not settings.json_schema:
        return {}
    if claude.keeps_schemas:
        return {"response_format": response_format(schema)}
    if request.tools or not claude.can_be_forced:
        return {}
    name = schema_name(schema)
    tool = {"name": name, "description": "Give the answer.", "input_schema": dict(schema)}
    return {"tools": [tool], "tool_choice": {"type": "tool", "name": name}, "_schema_tool": True}


def _is_forced(options: Mapping[str, Any]) -> bool:
    choice = options.get("tool_choice")
    return isinstance(choice, Mapping) and choice.get("type") in _FORCING


def _may_be_tempered(claude: Claude, options: Mapping[str, Any]) -> bool:
    """Thinking allows no temperature but 1, and the newest models none at all."""
    thinking = options.get("thinking", {}).get("type")
    return claude.takes_temperature and thinking not in {"enabled", "adaptive"}


def _is_schema_tool(options: dict[str, Any]) -> bool:
    return bool(options.pop("_schema_tool", False))


def _text_of_tool(message: AIMessage) -> AIMessage:
    if not message.tool_calls:
        return message
    text = json.dumps(message.tool_calls[0]["args"], ensure_ascii=False)
    return message.model_copy(update={"content": text, "tool_calls": []})


def _text_of_tool_piece(piece: AIMessageChunk) -> AIMessageChunk:
    """What comes as arguments of our own tool goes on as text; other text is dropped."""
    text = "".join(chunk["args"] or "" for chunk in piece.tool_call_chunks)
    return AIMessageChunk(
        content=text,
        response_metadata=piece.response_metadata,
        usage_metadata=piece.usage_metadata,
        chunk_position=piece.chunk_position,
    )
