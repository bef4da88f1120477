"""Replies in the odd forms that servers really send, as raw bodies, whole and streamed.

Each entry says what its body means; a client may make nothing else of it. Seen in the issue threads
of vLLM, llama.cpp, SGLang, LM Studio, Ollama, OpenRouter and LiteLLM, 2026-11.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.provider import Reply

CALL_TEXT = json.dumps({"path": "a.txt", "content": "alpha"})
CALL = ("write_file", {"path": "a.txt", "content": "alpha"})
_EVENTS = {"Content-Type": "text/event-stream"}
_LINES = {"Content-Type": "application/x-ndjson"}


@dataclass(frozen=True)
class Meant:
    """What a reply means.

    Args:
        text: what a person may see.
        calls: names and arguments.
        thought: what stands in the thinking; "" for no matter.
    """

    text: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    thought: str = ""


def events(*lines: str, end: str = "\n\n") -> Reply:
    """Return a stream of lines as they are."""
    return Reply(body="".join(line + end for line in lines), headers=_EVENTS)


def deltas(*said: dict[str, Any], key: str = "delta", done: bool = True) -> Reply:
    """Return a stream of chat completion chunks; the last finishes."""
    chunks = [{"choices": [{"index": 0, key: one, "finish_reason": None}]} for one in said]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = [f"data: {json.dumps(chunk)}" for chunk in chunks]
    return events(*lines, *(["data: [DONE]"] if done else []))


def whole(said: dict[str, Any], finish: str | None = "stop") -> Reply:
    """Return a whole chat completion."""
    return Reply(body={"choices": [{"index": 0, "message": said, "finish_reason": finish}]})


def ollama(*said: dict[str, Any]) -> Reply:
    """Return Ollama's lines, or its whole answer for one message."""
    parts = [{"model": "m", "message": {"role": "assistant", **one}, "done": False} for one in said]
    parts[-1] |= {"done": True, "done_reason": "stop"}
    return Reply(body="".join(f"{json.dumps(part)}\n" for part in parts), headers=_LINES)


def anthropic(blocks: Sequence[tuple[dict[str, Any], Sequence[dict[str, Any]]]]) -> Reply:
    """Return the events of a message: each block as it starts, and its deltas."""
    said: list[dict[str, Any]] = [{"type": "message_start", "message": {"content": []}}]
    for index, (start, more) in enumerate(blocks):
        said.append({"type": "content_block_start", "index": index, "content_block": start})
        said += [{"type": "content_block_delta", "index": index, "delta": one} for one in more]
    said.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    return events(*(f"event: {one['type']}\ndata: {json.dumps(one)}" for one in said))


def _call(arguments: Any, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"function": {"name": "write_file", "arguments": arguments}, **more}]}


HI = Meant("Hi there")
CALLED = Meant(calls=(CALL,))
LISTED = Meant(calls=(("list_files", {}),))
EMOJI = Meant("Hi \U0001f600 there")
OPENAI_STREAMED: dict[str, tuple[Reply, Meant]] = {
    "split surrogates": (deltas({"content": "Hi \ud83d"}, {"content": "\ude00 there"}), EMOJI),
    "half a pair": (deltas({"content": "Hi \ud83d"}, {"content": "x"}), Meant("Hi \ufffdx")),
    "message for delta": (deltas({"content": "Hi"}, {"content": " there"}, key="message"), HI),
    "the message so far": (deltas({"content": "Hi"}, {"content": "Hi there"}, key="message"), HI),
    "no [DONE]": (deltas({"content": "Hi there"}, done=False), HI),
    "no finish reason": (
        events('data: {"choices": [{"delta": {"content": "Hi there"}}]}', "data: [DONE]"),
        HI,
    ),
    "BOM, CRLF and comments": (
        events(
            "\ufeff: ping",
            'event: x\r\ndata: {"choices": [{"delta": {"content": "Hi there"}}]}',
            ": OPENROUTER PROCESSING",
            'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}',
            end="\r\n\r\n",
        ),
        HI,
    ),
    "content in parts": (deltas({"content": [{"type": "text", "text": "Hi there"}]}), HI),
    "null everywhere": (
        deltas({"content": None, "tool_calls": None, "role": None}, {"content": "Hi there"}),
        HI,
    ),
    "usage without choices": (
        events(
            'data: {"choices": [{"delta": {"content": "Hi there"}, "finish_reason": "stop"}]}',
            'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}',
            'data: {"choices": null, "usage": null}',
        ),
        HI,
    ),
    "reasoning_content": (
        deltas({"reasoning_content": "PLAN"}, {"content": "Hi there"}),
        Meant("Hi there", thought="PLAN"),
    ),
    "reasoning and its details": (
        deltas(
            {
                "reasoning": "PLAN",
                "reasoning_details": [{"type": "reasoning.text", "text": "PLAN"}],
            },
            {"content": "Hi there"},
        ),
        Meant("Hi there", thought="PLAN"),
    ),
    "reasoning_details alone": (
        deltas({"reasoning_details": [{"text": "PLAN"}]}, {"content": "Hi there"}),
        Meant("Hi there", thought="PLAN"),
    ),
    "thinking in parts of the content": (
        deltas(
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "PLAN"}]}]},
            {"content": [{"type": "text", "text": "Hi there"}]},
        ),
        Meant("Hi there", thought="PLAN"),
    ),
    "thinking beside Gemini's content": (
        deltas(
            {"content": "PLAN", "extra_content": {"google": {"thought": True}}},
            {"content": "Hi there"},
        ),
        Meant("Hi there", thought="PLAN"),
    ),
    "the name in each part": (
        deltas(_call(CALL_TEXT[:9], index=0, id="a"), _call(CALL_TEXT[9:], index=0, id="a")),
        CALLED,
    ),
    "arguments encoded twice": (deltas(_call(json.dumps(CALL_TEXT), index=0, id="a")), CALLED),
    "arguments as an object": (deltas(_call(json.loads(CALL_TEXT))), CALLED),
    "the older function_call": (
        deltas({"function_call": {"name": "write_file", "arguments": CALL_TEXT}}),
        CALLED,
    ),
    "calls in the last message only": (
        deltas({"content": ""}, _call(CALL_TEXT), key="message"),
        CALLED,
    ),
    "a whole answer to a stream": (whole({"content": "Hi there"}), HI),
}
OPENAI_WHOLE: dict[str, tuple[Reply, Meant]] = {
    "content in parts": (whole({"content": [{"type": "text", "text": "Hi there"}]}), HI),
    "no role, null calls": (whole({"content": "Hi there", "tool_calls": None}, None), HI),
    "surrogates": (whole({"content": "Hi \ud83d\ude00 there"}), EMOJI),
    "a stream to a plain question": (deltas({"content": "Hi"}, {"content": " there"}), HI),
    "reasoning": (
        whole({"reasoning": "PLAN", "content": "Hi there"}),
        Meant("Hi there", thought="PLAN"),
    ),
    "finish reason stop with calls": (whole({"content": None, **_call(CALL_TEXT)}), CALLED),
    "function_call": (
        whole({"function_call": {"name": "write_file", "arguments": CALL_TEXT}}, "function_call"),
        CALLED,
    ),
    "arguments encoded twice": (whole(_call(json.dumps(CALL_TEXT))), CALLED),
    "no arguments": (
        whole({"tool_calls": [{"function": {"name": "list_files", "arguments": None}}]}),
        LISTED,
    ),
}
_OLLAMA_CALL = {"function": {"name": "write_file", "arguments": CALL_TEXT}}
OLLAMA: dict[str, tuple[Reply, Meant]] = {
    "arguments as text": (ollama({"content": "", "tool_calls": [_OLLAMA_CALL]}), CALLED),
    "arguments null": (
        ollama({"tool_calls": [{"function": {"name": "list_files", "arguments": None}}]}),
        LISTED,
    ),
    "arguments left out": (
        ollama({"content": None, "tool_calls": [{"function": {"name": "list_files"}}]}),
        LISTED,
    ),
    "surrogates": (ollama({"content": "Hi \ud83d\ude00 there"}), EMOJI),
    "thinking": (
        ollama({"thinking": "PLAN", "content": "Hi there"}),
        Meant("Hi there", thought="PLAN"),
    ),
}
_TOOL = {"type": "tool_use", "id": "toolu_1", "name": "write_file"}
_START = {"type": "text", "text": ""}
ANTHROPIC: dict[str, tuple[Reply, Meant]] = {
    "input whole at the start": (
        anthropic([({**_TOOL, "input": json.loads(CALL_TEXT)}, [])]),
        CALLED,
    ),
    "input as text": (anthropic([({**_TOOL, "input": CALL_TEXT}, [])]), CALLED),
    "input null": (anthropic([({**_TOOL, "name": "list_files", "input": None}, [])]), LISTED),
    "input in parts": (
        anthropic(
            [
                (
                    {**_TOOL, "input": {}},
                    [
                        {"type": "input_json_delta", "partial_json": part}
                        for part in ("", CALL_TEXT[:9], CALL_TEXT[9:])
                    ],
                )
            ]
        ),
        CALLED,
    ),
    "split surrogates": (
        anthropic(
            [
                (
                    _START,
                    [
                        {"type": "text_delta", "text": "Hi \ud83d"},
                        {"type": "text_delta", "text": "\ude00 there"},
                    ],
                )
            ]
        ),
        EMOJI,
    ),
    "text whole at the start": (anthropic([({"type": "text", "text": "Hi there"}, [])]), HI),
}
