"""Markdown as models write it, read so that no word of an answer is lost, for phone and terminal.

What CommonMark leaves out or hides and people would miss comes as text: raw HTML and what only
looks like it, cells beyond a table's width, definitions of references, titles, what stands behind
the language of a code fence, the underscores of ``__init__``.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.common.normalize_url import normalizeLinkText
from markdown_it.rules_block.table import escapedSplit
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_DEEPEST = 60
"""How deeply blocks are nested at most; deeper ones markdown-it would drop with their words."""

_FORMULA = re.compile(
    r"\\\((?P<round>.+?)\\\)|\\\[(?P<square>.+?)\\\]|\$\$(?P<dollars>.+?)\$\$", re.DOTALL
)
_NUMBER = re.compile(r"\s*\d{1,9}[.)]\s*")
_LATEX = re.compile(r"\\[A-Za-z]{2,}")
_COMMAND = re.compile(r"\\(?:begin|end)\{\w+\*?\}|\\[A-Za-z]+")
_LANGUAGE = re.compile(r"[\w+#.-]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DUNDER = re.compile(r"\w+")
_STRONG = frozenset({"strong_open", "strong_close"})


def parse(markdown: str) -> list[Token] | None:
    """Return the tokens of a text; None when it is nested too deeply to be anything but text."""
    if _NUMBER.fullmatch(markdown):
        return plain_tokens(markdown.strip())  # an answer like "42." is no list
    try:
        tokens = _parser().parse(markdown)
    except RecursionError:
        return None
    return None if any(token.level >= _DEEPEST - 1 for token in tokens) else tokens


def plain_tokens(text: str) -> list[Token]:
    """Return a text as tokens of one paragraph, whatever its characters would mean."""
    content = Token("text", "", 0, content=text)
    return [
        Token("paragraph_open", "p", 1, block=True),
        Token("inline", "", 0, content=text, children=[content], block=True),
        Token("paragraph_close", "p", -1, block=True),
    ]


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "maxNesting": _DEEPEST}
    parser = MarkdownIt("commonmark", options).enable(["strikethrough", "table"])
    parser.disable(["reference", "html_block", "html_inline"])
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.core.ruler.after("block", "whole_rows", _whole_rows)
    parser.core.ruler.after("block", "own_numbers", _own_numbers)
    parser.core.ruler.after("inline", "nothing_hidden", _nothing_hidden)
    return parser


def _formula(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's shape of a rule
    """Read a formula between its usual signs; shown with the characters there are for it."""
    found = _FORMULA.match(state.src, state.pos, state.posMax)
    if found is None or not _LATEX.search(found[0]):
        return False
    if not silent:
        state.push("text", "", 0).content = _shown(found[found.lastgroup or 0].strip())
    state.pos = found.end()
    return True


def _shown(formula: str) -> str:
    from telegramify_markdown.latex_escape.helper import (  # noqa: PLC0415 - only for formulas
        LatexToUnicodeHelper,
    )

    try:
        shown = str(LatexToUnicodeHelper().convert(formula)).strip()  # type: ignore[no-untyped-call]  # it has no types
    except Exception:  # noqa: BLE001 - as it was written is always right
        return formula
    lost = _signs(_COMMAND.sub(" ", formula)) - _signs(shown)  # of what is no proper LaTeX
    return formula if lost or not shown or _LATEX.search(shown) else shown


def _signs(text: str) -> Counter[str]:
    """Count letters and digits, also those set high, low or in another hand."""
    return Counter(c for c in unicodedata.normalize("NFKC", text) if c.isalnum())


def _whole_rows(state: StateCore) -> None:
    """Give the last cell of a row what markdown-it leaves out: cells beyond those of the header."""
    lines, width, cells = state.src.split("\n"), 0, 0
    row: Sequence[str] = ()
    for at, token in enumerate(state.tokens):
        match token.type:
            case "table_open":
                width = 0
            case "th_open":
                width += 1
            case "tr_open" if token.map is not None:
                row, cells = _cells(lines[token.map[0]]), 0
            case "td_open":
                cells += 1
                if cells == width and len(row) > width:
                    inner = state.tokens[at + 1]
                    inner.content = " | ".join([inner.content, *row[width:]])
            case _:
                pass


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in escapedSplit(line.lstrip(" \t>").strip())]
    if cells and not cells[0]:
        cells = cells[1:]
    return cells[:-1] if cells and not cells[-1] else cells


def _own_numbers(state: StateCore) -> None:
    """Begin a list anew where its numbers jump: CommonMark counts on from the first one.

    A list whose items all bear the same number is meant to be counted.
    """
    lists: list[tuple[Token, list[int]]] = []
    tokens: list[Token] = []
    for token in state.tokens:
        if token.type == "ordered_list_open":
            lists.append((token, []))
        elif token.type == "list_item_open" and token.info:
            opening, numbers = lists[-1]
            number = int(token.info)
            jumps = bool(numbers) and number not in {numbers[-1], numbers[-1] + 1}
            if jumps:
                tokens.append(Token("ordered_list_close", "ol", -1, level=opening.level))
                attrs: dict[str, str | int | float] = {"start": number}
                tokens.append(Token("ordered_list_open", "ol", 1, attrs=attrs, level=opening.level))
            same = bool(numbers) and number == numbers[-1] and not jumps
            numbers.append(numbers[-1] + 1 if same else number)
        elif token.type == "ordered_list_close":
            lists.pop()
        tokens.append(token)
    state.tokens = tokens


def _nothing_hidden(state: StateCore) -> None:
    tokens: list[Token] = []
    for token in state.tokens:
        if token.type == "list_item_close" and tokens[-1].type == "list_item_open":
            tokens += plain_tokens(" ")  # else it would not be shown at all
        elif token.type == "inline" and token.children:
            token.children = list(_told(token.children))
        elif token.type == "fence":
            language, _, rest = token.info.strip().partition(" ")
            if not token.content.strip() and not _LANGUAGE.fullmatch(token.info.strip()):
                language, rest = "", token.info  # words in front of no code, as in ~~~yes~~~
            token.info = language
            if rest.strip():
                tokens += _at_level(plain_tokens(rest.strip()), token.level)
        tokens.append(token)
    state.tokens = tokens


def _at_level(tokens: list[Token], level: int) -> list[Token]:
    for token in tokens:
        token.level = level
    return tokens


def _told(children: Sequence[Token]) -> Iterator[Token]:
    titles: list[str] = []
    for at, token in enumerate(children):
        if token.type == "link_open" and not _SCHEME.match(str(token.attrs["href"])):
            token.attrs["href"] = normalizeLinkText(str(token.attrs["href"]))
        if token.info == "auto":
            yield from _bracket(token, children[at - 1])
        elif token.type == "image":
            yield from _image(token)
        elif token.type in _STRONG and _is_a_name(children, at):
            yield Token("text", "", 0, content=token.markup)
        else:
            yield token
            yield from _title(token, titles)


def _bracket(token: Token, before: Token) -> Iterator[Token]:
    """Yield the bracket around what only looks like a mail address; around addresses, nothing."""
    mail = str(token.attrs.get("href", "")).startswith("mailto:")
    if token.type == "link_open" and mail:
        yield Token("text", "", 0, content="<")
    elif token.type == "link_close" and "@" in before.content and ":" not in before.content:
        yield Token("text", "", 0, content=">")


def _title(token: Token, titles: list[str]) -> Iterator[Token]:
    """Yield the title of a link behind it; ``titles`` are those of the links that are open."""
    if token.type == "link_open":
        titles.append(str(token.attrs.get("title") or ""))
    elif token.type == "link_close" and titles and (title := titles.pop()):
        yield Token("text", "", 0, content=f" ({title})")


def _image(token: Token) -> Iterator[Token]:
    """Yield a picture as a link to it: nobody shows it here."""
    url = str(token.attrs.get("src", ""))
    url = url if _SCHEME.match(url) else normalizeLinkText(url)
    yield Token("link_open", "a", 1, attrs={"href": url})
    yield Token("text", "", 0, content=f"🖼 {token.content or url}")
    yield Token("link_close", "a", -1)
    title = token.attrs.get("title")
    if title:
        yield Token("text", "", 0, content=f" ({title})")


def _is_a_name(children: Sequence[Token], at: int) -> bool:
    """Whether two underscores belong to a name like ``__init__`` instead of making it bold."""
    token = children[at]
    inner = at + 1 if token.nesting == 1 else at - 1
    if token.markup != "__" or not 0 <= inner < len(children):
        return False
    other = inner + (1 if token.nesting == 1 else -1)
    return (
        children[inner].type == "text"
        and _DUNDER.fullmatch(children[inner].content) is not None
        and 0 <= other < len(children)
        and children[other].type in _STRONG
    )
