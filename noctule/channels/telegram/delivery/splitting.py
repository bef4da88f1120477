"""Parts: a text with marks as messages Telegram takes, cut where a reader would cut it."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from rich.cells import split_graphemes

from noctule.channels.telegram.delivery.markup import Styled, TextStyle

MOST_ENTITIES = 90
"""How many marks a message has at most: Telegram keeps a hundred and drops the rest without a word
(Bot API, sendMessage); a few are left to what it finds by itself and to the line below."""

_FULL_ENOUGH = 0.4
"""A part is not ended earlier than this for the sake of a better place to cut."""

Part = tuple[str, list[dict[str, Any]]]
"""The text and the entities of one message."""


def parts(styled: Styled, most_units: int) -> list[Part]:
    """Return what is to be sent, in order; nothing for a text without a visible character.

    Args:
        styled: the whole text.
        most_units: of one message, in UTF-16 units.
    """
    offsets = list(accumulate((1 + (ord(c) > 0xFFFF) for c in styled.text), initial=0))  # noqa: PLR2004 - the first code point that takes two units
    found: list[Part] = []
    start = _skip_blank(styled.text, 0)
    while start < len(styled.text):
        most = _furthest(styled, offsets, start, most_units)
        end = len(styled.text) if most == len(styled.text) else _cut(styled, start, most)
        part = _part(styled, offsets, start, end)
        if part[0]:  # an indentation may be longer than a message
            found.append(part)
        start = _skip_blank(styled.text, end)
    return found


def utf16(text: str) -> int:
    """Return the length of a text as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _skip_blank(text: str, at: int) -> int:
    """Return where the next line with something in it begins: what indents it stays."""
    following = next((n for n in range(at, len(text)) if not text[n].isspace()), len(text))
    if following == len(text):
        return following
    newline = text.rfind("\n", at, following)
    return at if newline < 0 else newline + 1


def _furthest(styled: Styled, offsets: Sequence[int], start: int, most_units: int) -> int:
    """Return how far a part may reach, by its length and by its marks."""
    end = bisect_right(offsets, offsets[start] + most_units) - 1
    inside = [mark for mark in styled.marks if mark.start < end and mark.end > start]
    if len(inside) > MOST_ENTITIES:
        end = min(end, max(start + 1, inside[MOST_ENTITIES].start))
    return end


def _cut(styled: Styled, start: int, most: int) -> int:
    """Return where a part that cannot hold all the rest ends: the best place not too early."""
    text, least = styled.text, start + int((most - start) * _FULL_ENOUGH)
    blocks = [at for at in styled.blocks if least < at <= most and at not in styled.glued]
    if blocks:
        return blocks[-1]
    for sign in ("\n", ". ", " "):
        at = text.rfind(sign, least, most)
        if at >= 0 and at + 1 not in styled.glued:
            return at + len(sign)
    return _between_characters(text, start, most)


def _between_characters(text: str, start: int, most: int) -> int:
    """Return the last place where no character is taken apart; families of emoji are one."""
    spans, _ = split_graphemes(text[start : most + 1])
    ends = [start + end for _, end, _ in spans if start < start + end <= most]
    # A character that goes on behind the border ends there only as far as one can see.
    if ends and ends[-1] == most and spans[-1][1] > most - start:
        ends = ends[:-1]
    return ends[-1] if ends else most


def _part(styled: Styled, offsets: Sequence[int], start: int, end: int) -> Part:
    text = styled.text[start:end].rstrip()
    end = start + len(text)
    inside = (
        _clipped(mark, start, end) for mark in styled.marks if mark.start < end and mark.end > start
    )
    return text, [_entity(mark, offsets, start) for mark in inside if mark.end > mark.start]


def _clipped(mark: TextStyle, start: int, end: int) -> TextStyle:
    return TextStyle(mark.kind, max(mark.start, start), min(mark.end, end), mark.url, mark.language)


def _entity(mark: TextStyle, offsets: Sequence[int], start: int) -> dict[str, Any]:
    entity: dict[str, Any] = {
        "type": mark.kind,
        "offset": offsets[mark.start] - offsets[start],
        "length": offsets[mark.end] - offsets[mark.start],
    }
    if mark.url is not None:
        entity["url"] = mark.url
    if mark.language is not None:
        entity["language"] = mark.language
    return entity
