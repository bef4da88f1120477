"""``parse_mode: MarkdownV2``: every special character is markup or has a backslash before it.

The refusals are worded as in tdlib, which the Bot API server is built on (read 2026-11).
"""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from tests.support.telegram.marks import MarkedText, byte_offset, unparsable
from tests.support.telegram.messages import Entities

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!\n")
_LAST_ESCAPABLE = chr(126)
_VERBATIM = frozenset({"code", "pre"})
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})
_DELIMITERS = {
    "bold": "*",
    "italic": "_",
    "underline": "__",
    "strikethrough": "~",
    "spoiler": "||",
    "code": "`",
    "pre": "```",
    "text_link": "]",
    "custom_emoji": "]",
}
# The longer one first: two underscores are an underline, three backticks a block.
_BEGINNINGS = (
    ("```", "pre"),
    ("`", "code"),
    ("__", "underline"),
    ("_", "italic"),
    ("*", "bold"),
    ("~", "strikethrough"),
    ("||", "spoiler"),
    ("[", "text_link"),
    ("![", "custom_emoji"),
)
_NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
    "expandable_blockquote": "ExpandableBlockQuote",
}


@dataclass(frozen=True)
class _Open:
    """Markup that waits for its end."""

    kind: str
    start: int
    position: int
    language: str = ""


def parse_markdown(source: str) -> tuple[str, Entities]:
    """Return the text without its markup, and its entities.

    Raises:
        Refusal: a special character stands alone, or markup has no end.
    """
    return _Reader(source).read()


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._out = MarkedText()
        self._open: list[_Open] = []

    def read(self) -> tuple[str, Entities]:
        position = self._quote(0)
        while position < len(self._source):
            position = self._step(position)
        if self._open and self._open[-1].kind in _QUOTES:
            self._finish(self._open.pop())
        if self._open:
            raise self._endless(self._open[-1])
        return self._out.text, self._out.entities

    @property
    def _top(self) -> str:
        return self._open[-1].kind if self._open else ""

    @property
    def _quoting(self) -> bool:
        return any(opened.kind in _QUOTES for opened in self._open)

    def _step(self, position: int) -> int:
        char = self._source[position]
        following = self._source[position + 1 : position + 2]
        if char == "\\" and following and following <= _LAST_ESCAPABLE:
            self._out.add(following)
            return position + 2
        reserved = {"`"} if self._top in _VERBATIM else _RESERVED
        if char not in reserved:
            self._out.add(char)
            return position + 1
        if char == "\n":
            return self._line_end(position)
        if self._ends_expandable(position):
            self._finish(self._open.pop())
            return position + 2
        if self._ends(position):
            return self._end(position)
        return self._begin(position)

    def _ends(self, position: int) -> bool:
        delimiter = _DELIMITERS.get(self._top)
        if delimiter is None or not self._source.startswith(delimiter, position):
            return False
        return delimiter != "_" or not self._source.startswith("__", position)

    def _ends_expandable(self, position: int) -> bool:
        rest = self._source[position:]
        ends_line = rest == "||" or rest.startswith("||\n")
        return self._top == "expandable_blockquote" and ends_line

    def _begin(self, position: int) -> int:
        for delimiter, kind in _BEGINNINGS:
            if self._source.startswith(delimiter, position):
                after = position + len(delimiter)
                language = ""
                if kind == "pre":
                    language, after = self._language(after)
                self._open.append(_Open(kind, self._out.offset, position, language))
                return after
        raise unparsable(
            f"Character '{self._source[position]}' is reserved and must be escaped with the "
            "preceding '\\'"
        )

    def _language(self, position: int) -> tuple[str, int]:
        """Read the language after three backticks, and skip the first line break."""
        end = position
        while end < len(self._source) and not self._source[end].isspace():
            if self._source[end] == "`":
                end = position
                break
            end += 1
        language = self._source[position:end] if end < len(self._source) else ""
        after = end if language else position
        return language, after + self._source.startswith("\n", after)

    def _end(self, position: int) -> int:
        opened = self._open.pop()
        after = position + len(_DELIMITERS[opened.kind])
        if opened.kind not in {"text_link", "custom_emoji"}:
            self._finish(opened)
            return after
        url, after = self._url(opened, after)
        if opened.kind == "text_link":
            self._out.link(opened.start, url)
            return after
        parts = urlsplit(url)
        emoji = parse_qs(parts.query).get("id", [""])[0]
        if (parts.scheme, parts.netloc) != ("tg", "emoji") or not emoji:
            raise unparsable("Custom emoji entity must contain a tg://emoji URL")
        self._out.mark("custom_emoji", opened.start, custom_emoji_id=emoji)
        return after

    def _url(self, opened: _Open, position: int) -> tuple[str, int]:
        if not self._source.startswith("(", position):
            return self._out.since(opened.start), position
        begin = position = position + 1
        url = ""
        while position < len(self._source) and self._source[position] != ")":
            if self._source[position] == "\\" and position + 1 < len(self._source):
                position += 1
            url += self._source[position]
            position += 1
        if position >= len(self._source):
            offset = byte_offset(self._source, begin)
            raise unparsable(f"Can't find end of a URL at byte offset {offset}")
        return url, position + 1

    def _line_end(self, position: int) -> int:
        goes_on = self._source.startswith(">", position + 1)
        if self._quoting and goes_on:
            self._out.add("\n")
            return position + 2
        if self._quoting:
            opened = self._open.pop()
            if opened.kind not in _QUOTES:
                raise self._endless(opened)
            self._finish(opened)
        self._out.add("\n")
        return self._quote(position + 1)

    def _quote(self, position: int) -> int:
        """Begin a quotation when a line begins with it."""
        for beginning, kind in (("**>", "expandable_blockquote"), (">", "blockquote")):
            if self._source.startswith(beginning, position):
                self._open.append(_Open(kind, self._out.offset, position))
                return position + len(beginning)
        return position

    def _finish(self, opened: _Open) -> None:
        self._out.mark(opened.kind, opened.start, language=opened.language)

    def _endless(self, opened: _Open) -> Exception:
        offset = byte_offset(self._source, opened.position)
        name = "PreCode" if opened.language else _NAMES[opened.kind]
        return unparsable(f"Can't find end of {name} entity at byte offset {offset}")
