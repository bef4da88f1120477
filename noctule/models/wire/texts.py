"""Message content in the plainest form a server takes.

A conversation may have been answered by several kinds of model, each leaving its own blocks in
the messages. What another kind of server would refuse or not understand is taken out here.
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

_TEXTS = ("text", "output_text", None)  # what a server sends need not be hashable
_PICTURES = frozenset({"image", "image_url", "input_audio", "file"})


def plain(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the messages with text as text: lists of blocks only where there are pictures.

    Thinking, tool-use and other blocks of one provider are left out; tool calls are not lost,
    since messages carry them beside their content.
    """
    return [_plain(message) for message in messages]


def text_of(content: object) -> str:
    """Return the text in a message's content, whatever else is in it."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(_block_text(block) for block in content)


def thought_of(content: object) -> str:
    """Return the thinking in a list of content blocks (Mistral's form); "" when there is none."""
    if not isinstance(content, list):
        return ""
    return "".join(
        text_of(block.get("thinking") or block.get("reasoning") or block.get("text"))
        for block in content
        if isinstance(block, dict) and block.get("type") in ("thinking", "reasoning", "thought")
    )


def _plain(message: BaseMessage) -> BaseMessage:
    content = message.content
    if isinstance(content, str):
        return message
    kept = [block for block in content if _is_kept(block)]
    if isinstance(message, AIMessage) or all(_is_text(block) for block in kept):
        return message.model_copy(update={"content": text_of(kept)})
    return message if len(kept) == len(content) else message.model_copy(update={"content": kept})


def _is_kept(block: Any) -> bool:
    return _is_text(block) or (isinstance(block, dict) and block.get("type") in _PICTURES)


def _is_text(block: Any) -> bool:
    return isinstance(block, str) or (isinstance(block, dict) and block.get("type") == "text")


def _block_text(block: Any) -> str:
    if isinstance(block, str):
        return block
    if isinstance(block, dict) and block.get("type") in _TEXTS:
        text = block.get("text")
        return text if isinstance(text, str) else ""
    return ""
