"""Pieces: how the parts of a streamed answer become one message."""

import json
from collections.abc import Sequence
from typing import cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ToolCallChunk,
    message_chunk_to_message,
)
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.messages.tool import invalid_tool_call


def join(pieces: Sequence[AIMessageChunk]) -> AIMessage:
    """Return the message that pieces add up to; an empty one for none.

    All at once, because adding piece by piece costs the square of their number. Tool calls whose
    arguments were cut off are marked invalid: LangChain completes half a JSON text by guessing,
    and would have us run a command nobody finished writing.
    """
    if not pieces:
        return AIMessage(content="")
    whole = add_ai_message_chunks(*pieces)
    message = cast("AIMessage", message_chunk_to_message(whole))
    torn = [chunk for chunk in whole.tool_call_chunks if not _is_whole(chunk)]
    if torn:
        names = {chunk["id"] for chunk in torn}
        message.tool_calls = [call for call in message.tool_calls if call["id"] not in names]
        message.invalid_tool_calls = [
            invalid_tool_call(name=chunk["name"], args=chunk["args"], id=chunk["id"], error=None)
            for chunk in torn
        ]
    return message


def says_something(piece: AIMessageChunk) -> bool:
    """Whether a piece is more than the frame around an answer; thinking counts as an answer."""
    return bool(piece.content or piece.tool_call_chunks or piece.additional_kwargs)


def _is_whole(chunk: ToolCallChunk) -> bool:
    if not chunk["args"]:
        return True
    try:
        return isinstance(json.loads(chunk["args"], strict=False), dict)
    except ValueError:
        return False
