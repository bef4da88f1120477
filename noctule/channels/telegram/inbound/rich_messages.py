"""Rich messages: the text of what people forward from bots that write whole pages.

Blocks and rich texts as of Bot API 10.1 and 10.2 (2026-06 and 2026-07): paragraphs, headings,
lists, tables, quotes, details, captions. A kind that is not known is searched for texts, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_DEEPEST = 60
_TEXTS = (
    "label",
    "title",
    "summary",
    "text",
    "expression",
    "alternative_text",
    "caption",
    "credit",
)
_BLOCKS = ("items", "blocks", "cells", "rows")
_MEDIA = frozenset({"photo", "video", "animation", "audio", "voice_note", "map"})


def rich_text(message: object) -> str:
    """Return the text of a ``RichMessage``, a block on each line; "" when it has none."""
    blocks = message.get("blocks") if isinstance(message, Mapping) else None
    lines = (line.strip() for line in _lines(blocks, 0))
    return "\n".join(line for line in lines if line)


def _lines(value: object, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _block(value, depth)
    elif isinstance(value, Sequence):
        for one in value:
            if isinstance(one, list):  # a row of a table
                cells = (" ".join(_lines(cell, depth + 1)) for cell in one)
                yield " | ".join(cells)
            else:
                yield from _lines(one, depth + 1)


def _block(block: Mapping[str, Any], depth: int) -> Iterator[str]:
    kind = block.get("type")
    if kind in _MEDIA:
        yield f"[{str(kind).replace('_', ' ')}]"
    texts = [_inline(block[name], depth + 1) for name in _TEXTS if name in block]
    yield from texts
    for name in _BLOCKS:
        if name in block:
            yield from _lines(block[name], depth + 1)


def _inline(text: object, depth: int) -> str:
    """Return the words of a rich text: a string, several of them, or one with a look."""
    if depth > _DEEPEST:
        return ""
    match text:
        case str():
            return text
        case Mapping():
            return "".join(_inline(text[name], depth + 1) for name in _TEXTS if name in text)
        case list() | tuple():
            return "".join(_inline(part, depth + 1) for part in text)
        case _:
            return ""
