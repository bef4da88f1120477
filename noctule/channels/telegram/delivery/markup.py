"""Markup: a text in Markdown as the text a phone shows and which parts of it look how."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from rich.cells import cell_len

from noctule.channels.markdown import parse, plain_tokens

_CLOSED = frozenset({"code", "pre"})
_OPEN = frozenset({"bold", "italic", "strikethrough"})
"""The marks that may not reach over code (Bot API, MessageEntity)."""

_STYLES = {"strong": "bold", "em": "italic", "s": "strikethrough"}
_LINK = re.compile(r"(?:https?://[^\s/?#]|tg://|mailto:|tel:)", re.IGNORECASE)
_FILE = re.compile(
    r"(?<![\w@:/.-])(?:"
    r"(?:\.{0,2}/)?(?:[\w+-][\w.+-]*/)*[\w+-][\w.+-]*\.(?:md|py|sh|rs|pl|cc|so|ps|zip|mov|in|am|ai|ml)"
    r"|/(?:bin|boot|dev|etc|home|lib|mnt|opt|proc|root|srv|sys|tmp|usr|var)"
    r")(?![\w/@-])"
)
"""Names of files and folders that Telegram would take for addresses or commands."""

_BULLET, _RULE = "• ", "———"
_INDENT = "   "


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How a part of a text looks.

    Args:
        kind: the entity's type (Bot API, MessageEntity).
        start: its first character, counted in Python's characters.
        end: the one behind its last.
        url: where a link leads; None unless it is one.
        language: of code; None when nobody said.
    """

    kind: str
    start: int
    end: int
    url: str | None = None
    language: str | None = None


@dataclass(slots=True)
class Styled:
    """A text with its marks.

    Args:
        text: what is read.
        marks: in order of their starts, none empty.
        blocks: where a paragraph, an item or another block begins.
        glued: those of ``blocks`` that stand right behind a heading.
    """

    text: str = ""
    marks: list[TextStyle] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    glued: set[int] = field(default_factory=set)


def render(markdown: str) -> Styled:
    """Return a text as a phone shows it; every word of it that is no markup is in it."""
    tokens = parse(markdown)
    page = _Page()
    try:
        page.write_all(tokens if tokens is not None else plain_tokens(markdown))
    except RecursionError:
        page = _Page()
        page.write_all(plain_tokens(markdown))
    return page.finished()


class _Page:
    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._at = 0
        self._marks: list[TextStyle] = []
        self._blocks: list[int] = []
        self._glued: set[int] = set()
        self._margin = ""
        self._quoted = False
        self._in_heading = False
        self._in_link = False

    def write_all(self, tokens: Sequence[Token]) -> None:
        self._blocks_of(SyntaxTreeNode(tokens).children, tight=False)

    def finished(self) -> Styled:
        marks = [mark for mark in self._marks if mark.end > mark.start]
        closed = [mark for mark in marks if mark.kind in _CLOSED]
        whole = [part for mark in marks for part in _around(mark, closed)]
        whole.sort(key=lambda mark: (mark.start, -mark.end))
        return Styled("".join(self._pieces), whole, self._blocks, self._glued)

    def _write(self, text: str) -> None:
        if self._margin:
            text = text.replace("\n", f"\n{self._margin}")
        self._pieces.append(text)
        self._at += len(text)

    def _mark(self, kind: str, start: int, **more: str | None) -> None:
        self._marks.append(TextStyle(kind, start, self._at, **more))

    def _blocks_of(self, nodes: Sequence[SyntaxTreeNode], *, tight: bool) -> None:
        after_heading = False
        for number, node in enumerate(nodes):
            if number:
                self._write("\n" if tight else "\n\n")
                self._blocks.append(self._at)
                if after_heading:
                    self._glued.add(self._at)
            self._block(node, tight=tight)
            after_heading = node.type == "heading"

    def _block(self, node: SyntaxTreeNode, *, tight: bool) -> None:
        start = self._at
        match node.type:
            case "heading":
                self._in_heading = True
                self._inlines(node.children)
                self._in_heading = False
                self._mark("bold", start)
            case "bullet_list" | "ordered_list":
                self._list(node, tight=tight)
            case "blockquote":
                self._quote(node)
            case "fence" | "code_block":
                self._code(node.content.rstrip("\n"), node.info.strip() or None)
            case "table":
                self._code(_table(node), None)
            case "hr":
                self._write(_RULE)
            case "inline":
                self._inlines(node.children)
            case _:
                self._inlines(node.children)

    def _list(self, node: SyntaxTreeNode, *, tight: bool) -> None:
        del tight
        number = int(node.attrs.get("start", 1))
        paragraphs = [part for item in node.children for part in item.children]
        close = all(part.hidden for part in paragraphs if part.type == "paragraph")
        for at, item in enumerate(node.children):
            if at:
                self._write("\n" if close else "\n\n")
                self._blocks.append(self._at)
            sign = _BULLET if node.type == "bullet_list" else f"{number + at}{item.markup} "
            self._write(sign)
            margin, self._margin = self._margin, self._margin + _INDENT
            self._blocks_of(item.children, tight=close)
            self._margin = margin

    def _quote(self, node: SyntaxTreeNode) -> None:
        start, outermost, margin = self._at, not self._quoted, self._margin
        if outermost:
            self._quoted = True
        else:  # Telegram has no quotes within quotes
            self._write("> ")
            self._margin = f"{margin}> "
        self._blocks_of(node.children, tight=False)
        self._margin = margin
        if outermost:
            self._quoted = False
            self._mark("blockquote", start)

    def _code(self, code: str, language: str | None) -> None:
        start, margin, self._margin = self._at, self._margin, ""
        self._write(code)
        self._margin = margin
        self._mark("pre", start, language=language)

    def _inlines(self, nodes: Sequence[SyntaxTreeNode]) -> None:
        for node in nodes:
            self._inline(node)

    def _inline(self, node: SyntaxTreeNode) -> None:
        start = self._at
        match node.type:
            case "inline":
                self._inlines(node.children)
            case "softbreak" | "hardbreak":
                self._write("\n")
            case "code_inline":
                self._write(node.content)
                if not self._in_link:
                    self._mark("code", start)
            case "strong" | "em" | "s":
                self._inlines(node.children)
                if not (self._in_heading and node.type == "strong"):
                    self._mark(_STYLES[node.type], start)
            case "link":
                self._link(node)
            case _:
                self._text(node.content)

    def _link(self, node: SyntaxTreeNode) -> None:
        start, url, within = self._at, str(node.attrs.get("href", "")), self._in_link
        self._in_link = True
        self._inlines(node.children)
        self._in_link = within
        shown = "".join(self._pieces)[start:] if url else ""
        if shown.strip() == url or not url:
            return
        if _LINK.match(url) and not within:  # of links within links Telegram keeps one
            self._mark("text_link", start, url=url)
        else:
            self._write(f" ({url})")

    def _text(self, text: str) -> None:
        start = self._at
        self._write(text)
        if not self._in_link:
            for found in _FILE.finditer(text):
                self._marks.append(TextStyle("code", start + found.start(), start + found.end()))


def _around(mark: TextStyle, closed: Sequence[TextStyle]) -> Iterator[TextStyle]:
    """Yield a mark without the code within it."""
    if mark.kind not in _OPEN:
        yield mark
        return
    start = mark.start
    for code in closed:
        if mark.start <= code.start and code.end <= mark.end:
            if code.start > start:
                yield replace(mark, start=start, end=code.start)
            start = max(start, code.end)
    if mark.end > start:
        yield replace(mark, start=start)


def _table(node: SyntaxTreeNode) -> str:
    """Return a table in columns; its cells as text."""
    rows = [
        [_words(cell) for cell in row.children] for part in node.children for row in part.children
    ]
    widths = [max(map(cell_len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines = [_row(row, widths) for row in rows]
    return "\n".join([lines[0], "─┼─".join("─" * width for width in widths), *lines[1:]])


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        f"{cell}{' ' * (width - cell_len(cell))}"
        for cell, width in zip_longest(cells, widths, fillvalue="")
        if isinstance(cell, str) and isinstance(width, int)
    ]
    return " │ ".join(padded).rstrip()


def _words(node: SyntaxTreeNode) -> str:
    match node.type:
        case "softbreak" | "hardbreak":
            return " "
        case "link":
            text, url = "".join(map(_words, node.children)), str(node.attrs.get("href", ""))
            return text if text == url or not url else f"{text} ({url})"
        case _ if node.children:
            return "".join(map(_words, node.children))
        case _:
            return node.content if node.type in {"text", "code_inline"} else ""
