"""Pieces: how the parts of a streamed answer become one message."""

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall, ToolCall
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.messages.tool import invalid_tool_call, tool_call

from noctule.models.wire.call_arguments import read_arguments
from noctule.models.wire.sanitizing import mended

_KEPT_CHARS = 4_000


def join(pieces: Sequence[AIMessageChunk]) -> AIMessage:
    """Return the message that pieces add up to; an empty one for none.

    All at once, because adding piece by piece costs the square of their number. Tool calls whose
    arguments were cut off are marked invalid: LangChain completes half a JSON text by guessing,
    and would have us run a command nobody finished writing.
    """
    if not pieces:
        return AIMessage(content="")
    whole = add_ai_message_chunks(*pieces)
    made: list[ToolCall] = []
    lost: list[InvalidToolCall] = []
    for chunk in whole.tool_call_chunks:
        arguments = read_arguments(chunk["args"])
        if arguments is None:
            text = mended(chunk["args"] or "")[:_KEPT_CHARS]
            lost.append(invalid_tool_call(name=chunk["name"], args=text, id=chunk["id"]))
        else:
            made.append(tool_call(name=chunk["name"] or "", args=arguments, id=chunk["id"]))
    return AIMessage(
        content=whole.content,
        additional_kwargs=whole.additional_kwargs,
        response_metadata=whole.response_metadata,
        usage_metadata=whole.usage_metadata,
        id=whole.id,
        tool_calls=made,
        invalid_tool_calls=lost,
    )


def says_something(piece: AIMessageChunk) -> bool:
    """Whether a piece is more than the frame around an answer; thinking counts as an answer."""
    return bool(piece.content or piece.tool_call_chunks or piece.additional_kwargs)
