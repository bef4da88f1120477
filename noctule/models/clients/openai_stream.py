"""What a chat completions stream says besides its text: gathered here, told once at its end."""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

from noctule.models.clients.finish import CONTENT_FILTER
from noctule.models.clients.usage import openai_usage


class StreamTail:
    """Usage, finish reason and model of one answer.

    The last word of each counts: some hosts repeat the finish reason, and some report the usage
    so far with every chunk. Adding chunks up, as LangChain does, would count them all.

    Args:
        header_usd: a cost the response's headers gave; None when there was none.
    """

    def __init__(self, *, header_usd: str | None = None) -> None:
        self._usage: Mapping[str, Any] | None = None
        self._finish: str | None = None
        self._told: dict[str, Any] = {}
        self._header_usd = header_usd
        self._refused = False
        self.tool_calls = 0

    def take(self, chunk: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Note what one chunk says and return its choices that have something to show."""
        groq = chunk.get("x_groq")
        usage = chunk.get("usage") or (groq.get("usage") if isinstance(groq, Mapping) else None)
        if isinstance(usage, Mapping):
            self._usage = usage
        for field in ("id", "model", "provider", "system_fingerprint", "service_tier"):
            if chunk.get(field):
                self._told[field] = chunk[field]
        choices = [c for c in chunk.get("choices") or () if isinstance(c, dict)][:1]
        for choice in choices:
            if choice.get("finish_reason"):
                self._finish = choice["finish_reason"]
            said = choice.get("delta") or choice.get("message")
            if isinstance(said, dict) and said.get("refusal"):
                self._refused = True
        return [choice for choice in choices if isinstance(choice.get("delta"), dict)]

    @property
    def usage_metadata(self) -> UsageMetadata | None:
        """The usage in LangChain's form; None when it was not said."""
        usage = openai_usage(self._usage)
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        counts = UsageMetadata(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=usage.input_tokens + usage.output_tokens,
        )
        if usage.cached_tokens is not None:
            counts["input_token_details"] = InputTokenDetails(cache_read=usage.cached_tokens)
        if usage.reasoning_tokens is not None:
            counts["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
        return counts

    def metadata(self, model: str) -> dict[str, Any]:
        """Return a message's response metadata; without a finish reason when none was said."""
        told = {
            "model_provider": "openai",
            "model_name": self._told.get("model") or model,
            **{key: value for key, value in self._told.items() if key != "model"},
        }
        if self._usage is not None:
            told["token_usage"] = dict(self._usage)
        if self._finish is not None:
            told["finish_reason"] = CONTENT_FILTER if self._refused else self._finish
        if self._header_usd is not None:
            told["header_usd"] = self._header_usd
        return told

    def chunk(self, model: str) -> AIMessageChunk:
        """Return the last piece of a stream, which carries all of it."""
        return AIMessageChunk(
            content="",
            usage_metadata=self.usage_metadata,
            response_metadata=self.metadata(model),
            chunk_position="last",
        )


def straighten(delta: dict[str, Any], tail: StreamTail) -> None:
    """Number the tool calls of a delta that carry no index (Gemini's compatible endpoint).

    A call with an id begins a new one; one without goes on with the latest.
    """
    for call in delta.get("tool_calls") or ():
        if not isinstance(call, dict):
            continue
        if not isinstance(call.get("index"), int):
            tail.tool_calls += 1 if call.get("id") else 0
            call["index"] = max(0, tail.tool_calls - 1)
        if not isinstance(call.get("function"), dict):
            call["function"] = {}
