"""Whatever JSON a server sends, reading it ends in a message or in a known class of failure."""

import json
from typing import Any

import ormsgpack
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk
from ollama import ResponseError

from noctule.core.errors import ModelFailureError
from noctule.models.base.client import Conclusion
from noctule.models.clients.anthropic.reader import MessageReader
from noctule.models.clients.ollama.reader import OllamaReader
from noctule.models.clients.openai.reader import AnswerReader
from noctule.models.completion.response_validation import find_flaw, with_reasons
from noctule.models.completion.streaming import apart
from noctule.models.wire.chunks import join
from noctule.models.wire.documents import DocumentDecoder
from noctule.models.wire.usage import anthropic_usage, ollama_usage, openai_usage
from tests.support.fuzzing import examples

_NAMES = st.sampled_from(
    """choices delta message content text type index id name function arguments tool_calls input
    function_call finish_reason usage prompt_tokens completion_tokens total_tokens reasoning
    reasoning_content reasoning_details thinking signature partial_json content_block done
    done_reason error model response stop_reason extra_content google thought refusal
    """.split()  # noqa: SIM905 - it reads as what it is
)
_TEXTS = st.sampled_from(
    [
        *("", "a", "text", "tool_use", "message_start", "content_block_start", "message_delta"),
        *("content_block_delta", "stop", "\ud83d", "\ude00", "\0", '{"a": 1}', '{"a'),
        *("<think>", "</think>"),
    ]
)
_LEAVES = st.one_of(
    st.none(), st.booleans(), _TEXTS, st.integers(-2, 3), st.just(10**400), st.just(1e308 * 10)
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)
_CALLS = st.dictionaries(_NAMES, _VALUES, max_size=4) | st.fixed_dictionaries(
    {"function": st.dictionaries(st.sampled_from(["name", "arguments"]), _VALUES)},
    optional={"id": _VALUES, "index": _VALUES},
)
_SAID = st.dictionaries(_NAMES, _VALUES, max_size=4) | st.fixed_dictionaries(
    {}, optional={"content": _VALUES, "tool_calls": st.lists(_CALLS, max_size=3) | _VALUES}
)
_CHUNKS = st.dictionaries(_NAMES, _VALUES, max_size=4) | st.builds(
    lambda said, key, finish: {"choices": [{key: said, "finish_reason": finish}]},
    _SAID,
    st.sampled_from(["delta", "message", "text"]),
    _VALUES,
)
_PARTS = st.builds(lambda said, done: {"message": said, "done": done}, _SAID, _VALUES) | _VALUES
_EVENTS = st.dictionaries(_NAMES, _VALUES, max_size=5) | st.builds(
    lambda kind, inner, index: {
        "type": kind,
        "content_block": inner,
        "delta": inner,
        "index": index,
    },
    st.sampled_from(
        ["content_block_start", "content_block_delta", "message_delta", "message_start"]
    ),
    st.dictionaries(_NAMES, _VALUES, max_size=4),
    _VALUES,
)


def kept(message: AIMessage) -> None:
    """What comes of reading goes through judging, and into a database and onto the wire."""
    whole = apart(with_reasons(message, cut=False))
    find_flaw(whole, Conclusion(openai_usage({}), "stop"), streamed=True)
    for value in (whole.content, whole.tool_calls, whole.invalid_tool_calls):
        ormsgpack.packb(value)
        json.dumps(value, allow_nan=False).encode()
    assert "\0" not in json.dumps([whole.content, whole.tool_calls]).replace("\\u0000", "\0")
    ormsgpack.packb([whole.additional_kwargs, whole.response_metadata])
    assert all(isinstance(call["args"], dict) for call in whole.tool_calls)


@settings(max_examples=examples(80))
@given(st.lists(_CHUNKS, max_size=5))
def test_chat_completions(chunks: list[Any]) -> None:
    """Chunks of any shape."""
    reader, pieces = AnswerReader("m"), list[AIMessageChunk]()
    for chunk in chunks:
        piece = reader.take(chunk)
        pieces += [] if piece is None else [piece]
    message = join([*pieces, reader.end()])
    openai_usage(message.response_metadata.get("token_usage"))
    kept(message)


@settings(max_examples=examples(60))
@given(st.lists(_PARTS, max_size=5))
def test_ollamas_parts(parts: list[Any]) -> None:
    """Lines of any shape."""
    reader, pieces = OllamaReader(), list[AIMessageChunk]()
    try:
        for part in parts:
            piece = reader.take(part)
            pieces += [] if piece is None else [piece]
        message = join(reader.checked(pieces))
    except (ResponseError, ModelFailureError):
        return
    ollama_usage(message.response_metadata)
    kept(message)


@settings(max_examples=examples(60))
@given(st.lists(_EVENTS, max_size=6))
def test_events_of_messages(events: list[Any]) -> None:
    """Events of any shape."""
    reader, pieces = MessageReader("m"), list[AIMessageChunk]()
    for event in events:
        pieces += reader.take(event)
    message = join([*pieces, reader.end()])
    anthropic_usage(message.response_metadata["usage_reports"])
    kept(message)


@settings(max_examples=examples(80))
@given(
    st.lists(
        st.sampled_from(
            [
                b"data:",
                b" ",
                b'{"a": 1}',
                b"{",
                b"}",
                b"\n",
                b"\r",
                b":",
                b"[",
                b"[DONE]",
                b"event: x",
                b"\xef\xbb\xbf",
                b"\xff",
                b'"',
            ]
        ),
        max_size=12,
    )
)
def test_bodies(parts: list[bytes]) -> None:
    """Bytes of any kind are values, or no JSON or UTF-8, which has its class."""
    decoder = DocumentDecoder()
    try:
        for part in parts:
            list(decoder.feed(part))
        list(decoder.finish())
    except ValueError:
        return
