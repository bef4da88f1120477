"""How OpenAI, Anthropic and Ollama write a reply: whole, or in the frames of a stream."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.replies import Reply, ToolCall

_MADE = "2026-01-01T00:00:00Z"
_ANTHROPIC_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


@dataclass(frozen=True)
class Frame:
    """One piece of a stream; ``token`` says whether a fault counts it."""

    data: bytes
    token: bool = False


@dataclass(frozen=True)
class Dialect:
    """How one kind of provider writes.

    Args:
        content_type: of a stream.
        whole: the reply as one document.
        frames: the reply as a stream.
        error: an error inside a stream.
        raw: any text as one frame, for what is not JSON.
        always_streams: True when a request streams unless it says no.
    """

    content_type: str
    whole: Callable[[Reply, dict[str, Any]], dict[str, Any]]
    frames: Callable[[Reply, dict[str, Any]], Iterator[Frame]]
    error: Callable[[Any], bytes]
    raw: Callable[[str], bytes]
    always_streams: bool = False


def _arguments(call: ToolCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)


def _sse(data: Any, event: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {text}\n\n".encode()


def _line(data: Any) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"{text}\n".encode()


def _as_object(error: Any) -> Any:
    return {"message": error} if isinstance(error, str) else error


# --- OpenAI ---------------------------------------------------------------------------------


def _openai_usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    if usage is None:
        return {}
    counts: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
    return {"usage": counts | ({} if usage.cost is None else {"cost": usage.cost})}


def _openai_calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": _arguments(call)},
        }
        for index, call in enumerate(reply.tool_calls)
    ]


def _openai_whole(reply: Reply, asked: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.thinking:
        message["reasoning_content"] = reply.thinking
    if reply.tool_calls:
        message["tool_calls"] = _openai_calls(reply)
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": asked.get("model", "model"),
        "choices": [choice],
        **_openai_usage(reply),
    }


def _openai_frames(reply: Reply, asked: dict[str, Any]) -> Iterator[Frame]:
    base = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": asked.get("model", "model"),
    }

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _sse(base | {"choices": [choice]})

    yield Frame(chunk({"role": "assistant", "content": ""}))
    if reply.thinking:
        yield Frame(chunk({"reasoning_content": reply.thinking}), token=True)
    for token in reply.tokens:
        yield Frame(chunk({"content": token}), token=True)
    for call in _openai_calls(reply):
        yield Frame(chunk({"tool_calls": [call]}), token=True)
    if reply.finish is not None:
        yield Frame(chunk({}, reply.finish_reason))
        if reply.usage and (asked.get("stream_options") or {}).get("include_usage"):
            yield Frame(_sse(base | {"choices": []} | _openai_usage(reply)))
    yield Frame(_sse("[DONE]"))


OPENAI = Dialect(
    content_type="text/event-stream",
    whole=_openai_whole,
    frames=_openai_frames,
    error=lambda error: _sse({"error": _as_object(error)}),
    raw=_sse,
)


# --- Anthropic ------------------------------------------------------------------------------


def _anthropic_usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": 0,
    }


def _anthropic_blocks(reply: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if reply.thinking:
        blocks.append({"type": "thinking", "thinking": reply.thinking, "signature": "signed"})
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    blocks.extend(
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in reply.tool_calls
    )
    return blocks


def _anthropic_message(reply: Reply, asked: dict[str, Any], content: list[Any]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked.get("model", "model"),
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _anthropic_usage(reply),
    }


def _anthropic_reason(reply: Reply) -> str | None:
    finish = reply.finish_reason
    return None if finish is None else _ANTHROPIC_REASONS.get(finish, finish)


def _anthropic_whole(reply: Reply, asked: dict[str, Any]) -> dict[str, Any]:
    message = _anthropic_message(reply, asked, _anthropic_blocks(reply))
    return message | {"stop_reason": _anthropic_reason(reply)}


def _anthropic_frames(reply: Reply, asked: dict[str, Any]) -> Iterator[Frame]:
    def event(kind: str, **data: Any) -> bytes:
        return _sse({"type": kind, **data}, kind)

    yield Frame(event("message_start", message=_anthropic_message(reply, asked, [])))
    for index, block in enumerate(_anthropic_blocks(reply)):
        empty, deltas = _anthropic_deltas(reply, block)
        yield Frame(event("content_block_start", index=index, content_block=empty))
        for delta in deltas:
            yield Frame(event("content_block_delta", index=index, delta=delta), token=True)
        yield Frame(event("content_block_stop", index=index))
    if reply.finish is not None:
        delta = {"stop_reason": _anthropic_reason(reply), "stop_sequence": None}
        yield Frame(event("message_delta", delta=delta, usage=_anthropic_usage(reply)))
    yield Frame(event("message_stop"))


def _anthropic_deltas(
    reply: Reply, block: dict[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Split a block into how it opens and what is added to it."""
    if block["type"] == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    if block["type"] == "text":
        deltas = [{"type": "text_delta", "text": token} for token in reply.tokens]
        return {"type": "text", "text": ""}, deltas
    raw = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": raw}]


ANTHROPIC = Dialect(
    content_type="text/event-stream",
    whole=_anthropic_whole,
    frames=_anthropic_frames,
    error=lambda error: _sse({"type": "error", "error": _as_object(error)}, "error"),
    raw=lambda text: _sse(text, "content_block_delta"),
)


# --- Ollama ---------------------------------------------------------------------------------


def _ollama_part(asked: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": asked.get("model", "model"),
        "created_at": _MADE,
        "message": {"role": "assistant", "content": "", **message},
        "done": False,
    }


def _ollama_end(reply: Reply) -> dict[str, Any]:
    end: dict[str, Any] = {"done": True, "done_reason": reply.finish, "total_duration": 1_000_000}
    if reply.usage:
        end["prompt_eval_count"] = reply.usage.input_tokens
        end["eval_count"] = reply.usage.output_tokens
    return end


def _ollama_calls(reply: Reply) -> dict[str, Any]:
    calls = [{"function": {"name": c.name, "arguments": c.arguments}} for c in reply.tool_calls]
    return {"tool_calls": calls} if calls else {}


def _ollama_whole(reply: Reply, asked: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"content": reply.text, **_ollama_calls(reply)}
    if reply.thinking:
        message["thinking"] = reply.thinking
    return _ollama_part(asked, message) | (_ollama_end(reply) if reply.finish else {})


def _ollama_frames(reply: Reply, asked: dict[str, Any]) -> Iterator[Frame]:
    if reply.thinking:
        yield Frame(_line(_ollama_part(asked, {"thinking": reply.thinking})), token=True)
    for token in reply.tokens:
        yield Frame(_line(_ollama_part(asked, {"content": token})), token=True)
    if reply.tool_calls:
        yield Frame(_line(_ollama_part(asked, _ollama_calls(reply))), token=True)
    if reply.finish is not None:
        yield Frame(_line(_ollama_part(asked, {}) | _ollama_end(reply)))


OLLAMA = Dialect(
    content_type="application/x-ndjson",
    whole=_ollama_whole,
    frames=_ollama_frames,
    error=lambda error: _line({"error": error}),
    raw=_line,
    always_streams=True,
)


def dialect_of(path: str) -> Dialect | None:
    """Return who is spoken at a path; None when no model answers there."""
    endings = {"/chat/completions": OPENAI, "/messages": ANTHROPIC, "/api/chat": OLLAMA}
    return next((dialect for end, dialect in endings.items() if path.endswith(end)), None)
