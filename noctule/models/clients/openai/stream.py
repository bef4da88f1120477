"""What a chat completions stream says besides its text: gathered here, told once at its end."""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

from noctule.models.wire.finish import CONTENT_FILTER, MALFORMED, STOP, finish_reason
from noctule.models.wire.sanitizing import mended, mended_value
from noctule.models.wire.usage import openai_usage

_MOST_CHARS = 300


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
        self._told: dict[str, str] = {}
        self._header_usd = header_usd
        self._refused = False

    def take(self, chunk: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Note what one chunk says and return its first choice; None when it has none."""
        groq = chunk.get("x_groq")
        usage = chunk.get("usage") or (groq.get("usage") if isinstance(groq, Mapping) else None)
        choices = chunk.get("choices")
        found = [c for c in choices if isinstance(c, Mapping)] if isinstance(choices, list) else []
        choice = found[0] if found else None
        if not usage and choice is not None:
            usage = choice.get("usage")  # Moonshot
        if isinstance(usage, Mapping) and (self._usage is None or _tells(usage)):
            self._usage = usage
        for field in ("id", "model", "provider", "system_fingerprint", "service_tier"):
            if chunk.get(field) and isinstance(chunk[field], str):
                self._told[field] = mended(chunk[field])[:_MOST_CHARS]
        if choice is not None:
            self._note(choice)
        return choice

    def _note(self, choice: Mapping[str, Any]) -> None:
        reason, native = choice.get("finish_reason"), choice.get("native_finish_reason")
        if isinstance(reason, str) and reason:
            self._finish = mended(reason)[:_MOST_CHARS]
        if finish_reason(native) == MALFORMED:
            self._finish = MALFORMED
        said = choice.get("delta") or choice.get("message")
        if isinstance(said, Mapping) and said.get("refusal"):
            self._refused = True

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

    def metadata(self, model: str, *, done: bool) -> dict[str, Any]:
        """Return a message's response metadata; without a finish reason when none was said.

        Args:
            model: its name, where the server gave none.
            done: whether the server said that this was all, which is a reason to end as well.
        """
        told: dict[str, Any] = {
            "model_provider": "openai",
            "model_name": self._told.get("model") or model,
            **{key: value for key, value in self._told.items() if key != "model"},
        }
        if self._usage is not None:
            told["token_usage"] = _kept(self._usage)
        finish = self._finish or (STOP if done else None)
        if finish is not None:
            told["finish_reason"] = CONTENT_FILTER if self._refused else finish
        if self._header_usd is not None:
            told["header_usd"] = self._header_usd
        return told

    def chunk(self, model: str, *, done: bool) -> AIMessageChunk:
        """Return the last piece of a stream, which carries all of it."""
        return AIMessageChunk(
            content="",
            usage_metadata=self.usage_metadata,
            response_metadata=self.metadata(model, done=done),
            chunk_position="last",
        )


def _tells(usage: Mapping[str, Any]) -> bool:
    """Whether a report says anything: some servers end with one of zeros."""
    told = openai_usage(usage)
    return told.input_tokens is not None or bool(told.reported_usd)


def _kept(usage: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(mended_value(usage))
    except ValueError:
        return {}
