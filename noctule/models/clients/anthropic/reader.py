"""What a server of the Messages API says of an answer, whole or event by event.

Servers that imitate the API (Ollama, LM Studio, vLLM, z.ai, DeepSeek, Moonshot and proxies) give a
call's input whole at its start, as text, or as null, leave indexes and events out, and report usage
where they like; checked 2026-11.
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata

from noctule.models.wire.call_reader import CallReader
from noctule.models.wire.sanitizing import Mender, mended, mended_value
from noctule.models.wire.usage import anthropic_usage

_MOST_CHARS = 300
_OWN_BLOCKS = frozenset({"text", "thinking", "tool_use"})


class MessageReader:
    """Reads one answer.

    Args:
        model: the name it was asked under.

    Attributes:
        said_anything: whether anything of an answer has come.
    """

    def __init__(self, model: str) -> None:
        self.said_anything = False
        self._reports: list[dict[str, Any]] = []
        self._told: dict[str, Any] = {"model_provider": "anthropic", "model_name": model}
        self._calls = CallReader()
        self._mender = Mender()
        self._block = -1

    def take(self, event: Mapping[str, Any]) -> list[AIMessageChunk]:
        """Return what an event, or a whole message, adds."""
        match event.get("type"):
            case "message_start":
                return self._message(_mapping(event.get("message")))
            case "content_block_start":
                self._block += 1
                return self._start(_mapping(event.get("content_block")), self._at(event))
            case "content_block_delta":
                return self._delta(_mapping(event.get("delta")), self._at(event))
            case "message_delta":
                self._end(_mapping(event.get("delta")), event.get("usage"))
            case "message_stop":
                self._told.setdefault("stop_reason", "end_turn")
            case _ if isinstance(event.get("content"), list):
                return self._message(event)
        return []

    def end(self) -> AIMessageChunk:
        """Return the last piece; without a stop reason when none was said."""
        return AIMessageChunk(
            content=self._mender.rest(),
            usage_metadata=self._usage_metadata,
            response_metadata={**self._told, "usage_reports": self._reports},
            chunk_position="last",
        )

    def _at(self, event: Mapping[str, Any]) -> int:
        index = event.get("index")
        is_number = isinstance(index, int) and not isinstance(index, bool)
        return index if is_number else max(0, self._block)  # type: ignore[return-value]  # said above

    def _message(self, message: Mapping[str, Any]) -> list[AIMessageChunk]:
        for name, known in (("id", "id"), ("model", "model_name")):
            if isinstance(message.get(name), str) and message[name]:
                self._told[known] = mended(message[name])[:_MOST_CHARS]
        self._end(message, message.get("usage"))
        blocks = message.get("content")
        pieces: list[AIMessageChunk] = []
        for block in blocks if isinstance(blocks, list) else []:
            self._block += 1
            pieces += self._start(_mapping(block), self._block)
        self.said_anything = self.said_anything or isinstance(blocks, list)
        return pieces

    def _end(self, said: Mapping[str, Any], usage: object) -> None:
        if isinstance(usage, Mapping):
            self._reports.append(_kept(usage))
        if isinstance(said.get("stop_reason"), str):
            self._told["stop_reason"] = mended(said["stop_reason"])[:_MOST_CHARS]

    def _start(self, block: Mapping[str, Any], index: int) -> list[AIMessageChunk]:
        self.said_anything = True
        kind = block.get("type")
        if kind == "tool_use":
            given = block.get("input")
            call = {"id": block.get("id"), "name": block.get("name"), "index": index}
            return self._call({**call, "arguments": given or ""})
        if kind in _OWN_BLOCKS:
            return self._delta(block, index)
        kept = _kept(block)
        return [AIMessageChunk(content=[{**kept, "index": index}])] if kept.get("type") else []

    def _delta(self, delta: Mapping[str, Any], index: int) -> list[AIMessageChunk]:
        self.said_anything = True
        pieces: list[AIMessageChunk] = []
        if isinstance(delta.get("text"), str) and (text := self._mender.mend(delta["text"])):
            pieces.append(AIMessageChunk(content=text))
        for name in ("thinking", "signature"):
            if isinstance(delta.get(name), str) and delta[name]:
                block = {"type": "thinking", name: mended(delta[name]), "index": index}
                pieces.append(AIMessageChunk(content=[block]))
        if "partial_json" in delta:
            pieces += self._call({"index": index, "arguments": delta["partial_json"]})
        return pieces

    def _call(self, entry: Mapping[str, Any]) -> list[AIMessageChunk]:
        return [AIMessageChunk(content="", tool_call_chunks=self._calls.read(entry))]

    @property
    def _usage_metadata(self) -> UsageMetadata | None:
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


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _kept(value: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(mended_value(value))
    except ValueError:
        return {}
