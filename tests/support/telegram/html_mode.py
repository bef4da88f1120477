"""``parse_mode: HTML``: the tags of the documentation, nested in good order, four named entities.

The refusals are worded as in tdlib, which the Bot API server is built on (read 2026-11).
"""

import re
from dataclasses import dataclass

from tests.support.telegram.marks import MarkedText, byte_offset, unparsable
from tests.support.telegram.messages import Entities

_KINDS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
}
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot)(?![a-zA-Z]));?")
_NAME = re.compile(r"[^\s>]*")
_ATTRIBUTE = re.compile(r"""\s*([^\s=>]+)\s*(?:=\s*("[^"]*"|'[^']*'|[\w.-]+))?""")
_END = re.compile(r"</([^\s>]*)\s*>")


@dataclass(frozen=True)
class _Open:
    """A tag that waits for its end."""

    name: str
    start: int
    attributes: dict[str, str]


def parse_html(source: str) -> tuple[str, Entities]:
    """Return the text without its tags, and its entities.

    Raises:
        Refusal: a tag is unknown, not closed or closed out of order.
    """
    return _Reader(source).read()


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._out = MarkedText()
        self._open: list[_Open] = []

    def read(self) -> tuple[str, Entities]:
        position = 0
        while position < len(self._source):
            position = self._step(position)
        if self._open:
            raise unparsable(
                f'Can\'t find end tag corresponding to start tag "{self._open[-1].name}"'
            )
        return self._out.text, self._out.entities

    def _step(self, position: int) -> int:
        if self._source.startswith("</", position):
            return self._end_tag(position)
        if self._source[position] == "<":
            return self._start_tag(position)
        if reference := _REFERENCE.match(self._source, position):
            hexadecimal, decimal, name = reference.groups()
            code = int(hexadecimal, 16) if hexadecimal else int(decimal or 0)
            if name or 0 < code < 0x10FFFF:
                self._out.add(_NAMED[name] if name else chr(code))
                return reference.end()
        self._out.add(self._source[position])
        return position + 1

    def _start_tag(self, position: int) -> int:
        at = f"at byte offset {byte_offset(self._source, position)}"
        named = _NAME.match(self._source, position + 1)
        if named is None or named.end() == len(self._source):
            raise unparsable(f"Unclosed start tag {at}")
        name = named[0].lower()
        if name not in _KINDS:
            raise unparsable(f'Unsupported start tag "{name}" {at}')
        attributes: dict[str, str] = {}
        end = named.end()
        while attribute := _ATTRIBUTE.match(self._source, end):
            attributes[attribute[1].lower()] = (attribute[2] or "").strip("\"'")
            if attribute[2] is None and name != "blockquote":
                what = "Expected equal sign in declaration of an attribute of the tag"
                raise unparsable(f'{what} "{name}" {at}')
            end = attribute.end()
        closing = self._source.find(">", end)
        if closing < 0 or self._source[end:closing].strip():
            raise unparsable(f"Unclosed start tag {at}")
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise unparsable(f'Tag "span" must have class "tg-spoiler" {at}')
        self._open.append(_Open(name, self._out.offset, attributes))
        return closing + 1

    def _end_tag(self, position: int) -> int:
        at = f"at byte offset {byte_offset(self._source, position)}"
        if not self._open:
            raise unparsable(f"Unexpected end tag {at}")
        found = _END.match(self._source, position)
        if found is None:
            raise unparsable(f"Unclosed end tag {at}")
        opened = self._open.pop()
        name = found[1].lower()
        if name not in ("", opened.name):
            raise unparsable(
                f'Unmatched end tag {at}, expected "</{opened.name}>", found "</{name}>"'
            )
        self._close(opened)
        return found.end()

    def _close(self, opened: _Open) -> None:
        kind = _KINDS[opened.name]
        given = opened.attributes
        if opened.name == "a":
            self._out.link(opened.start, given.get("href") or self._out.since(opened.start))
        elif opened.name == "tg-emoji":
            self._out.mark(kind, opened.start, custom_emoji_id=given.get("emoji-id"))
        elif opened.name == "blockquote" and "expandable" in given:
            self._out.mark("expandable_blockquote", opened.start)
        elif opened.name == "code":
            language = given.get("class", "").removeprefix("language-")
            inside_pre = bool(self._open) and self._open[-1].name == "pre"
            self._out.mark(kind, opened.start, language=language if inside_pre else None)
        elif opened.name == "pre":
            self._out.mark(kind, opened.start, language=self._language(opened.start))
        else:
            self._out.mark(kind, opened.start)

    def _language(self, start: int) -> str | None:
        """Take back code that fills the whole ``pre`` and return its language."""
        last = self._out.entities[-1] if self._out.entities else {}
        whole = last.get("offset") == start and last.get("length") == self._out.offset - start
        if last.get("type") != "code" or not whole:
            return None
        return self._out.entities.pop().get("language")
