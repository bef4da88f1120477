"""What an Ollama server, or one that imitates it, says of an answer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from ollama import ResponseError

from noctule.core.errors import ModelFailureError
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.wire.call_reader import CallReader
from noctule.models.wire.finish import STOP
from noctule.models.wire.sanitizing import Mender, mended, mended_value
from noctule.models.wire.texts import text_of, thought_of
from noctule.models.wire.usage import ollama_usage

_THOUGHTS = ("thinking", "reasoning_content", "reasoning")
_BESIDE = frozenset({"message", "done", "created_at", "response", "context"})


class OllamaReader:
    """Reads one answer, whole or part by part; arguments may be text, an object or null."""

    def __init__(self) -> None:
        self._calls = CallReader()
        self._called = 0
        self._text_mender, self._thought_mender = Mender(), Mender()
        self._said_anything = False

    def take(self, part: object) -> AIMessageChunk | None:
        """Return what a part adds; None for what is no part of an answer.

        Raises:
            ollama.ResponseError: it is an error.
        """
        if not isinstance(part, Mapping):
            return None
        if part.get("error"):
            raise refused(_words(part["error"]))
        said = part.get("message")
        if not isinstance(said, Mapping):
            said = {"content": part.get("response")}
        done = part.get("done") is True
        self._said_anything = self._said_anything or done or part.get("message") is not None
        text = self._text_mender.mend(text_of(said.get("content")))
        thought = next((said[n] for n in _THOUGHTS if isinstance(said.get(n), str)), "")
        thought = self._thought_mender.mend(thought or thought_of(said.get("content")))
        return AIMessageChunk(
            content=text + (self._text_mender.rest() if done else ""),
            additional_kwargs={"reasoning_content": thought} if thought else {},
            tool_call_chunks=self._calls.read(self._numbered(said.get("tool_calls"))),
            usage_metadata=_usage_metadata(part),
            response_metadata=_metadata(part) if done else {},
            chunk_position="last" if done else None,
        )

    def checked(self, pieces: Sequence[AIMessageChunk]) -> Sequence[AIMessageChunk]:
        """Return the pieces of an answer that has ended.

        Raises:
            ModelFailureError: nothing of what came was an answer of Ollama's.
        """
        if not self._said_anything:
            why = "it answered, but not in the form of Ollama's API"
            raise ModelFailureError(Refusal(Outcome.UNAVAILABLE, why, torn=True))
        return pieces

    def _numbered(self, calls: object) -> list[Any]:
        """Number calls that have no ids: here each entry is a call of its own."""
        entries = calls if isinstance(calls, list) else [calls]
        numbered = []
        for entry in entries:
            if isinstance(entry, Mapping):
                self._called += 1
                id_ = entry.get("id") or f"call_{self._called}"
                numbered.append({**entry, "id": id_, "index": self._called})
        return numbered


def refused(text: str, status: int = -1) -> ResponseError:
    """Return the library's error of a body; it reads JSON in it and takes every value for a dict.

    Args:
        text: the body, or the words of an error in the middle of an answer.
        status: the HTTP status; -1 for an answer that began well.
    """
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    return ResponseError(text if is_object else json.dumps({"error": text}), status)


def _words(error: object) -> str:
    if isinstance(error, Mapping) and isinstance(error.get("message"), str):
        return mended(str(error["message"]))
    return mended(str(error))


def _metadata(part: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in part.items() if name not in _BESIDE}
    try:
        kept = dict(mended_value({k: v for k, v in told.items() if v is not None}))
    except ValueError:
        kept = {}
    known = {"done_reason": STOP, "model_provider": "ollama"}
    return {**known, **kept, "model_name": str(kept.get("model", ""))}


def _usage_metadata(part: Mapping[str, Any]) -> UsageMetadata | None:
    usage = ollama_usage(part)
    sent, received = usage.input_tokens, usage.output_tokens
    if sent is None or received is None:
        return None
    return UsageMetadata(input_tokens=sent, output_tokens=received, total_tokens=sent + received)
