"""Replies in Markdown as a terminal shows them: no word is lost, whatever its width."""

from collections.abc import Iterator
from typing import ClassVar

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown, MarkdownElement, TableElement
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from noctule.channels.markdown import parse, plain_tokens

_BETWEEN_COLUMNS = 2
_PER_LEVEL = 2
"""An item of a list or a quote takes up to four columns, and two levels of tokens."""
_LEAST_ROOM = 16


class Code(CodeBlock):
    """Code without the empty lines around it that only a background would need."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield it, long lines wrapped."""
        code = str(self.text).rstrip()
        yield Syntax(code, self.lexer_name, theme=self.theme, word_wrap=True, padding=(0, 2))


class Columns(TableElement):
    """A table; where its words do not fit side by side, each row is a few lines of its own."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield it."""
        rows = list(self._rows())
        if not rows:
            return
        needed = sum(max(map(_longest_word, column)) for column in zip(*rows, strict=True))
        if needed + _BETWEEN_COLUMNS * (len(rows[0]) + 1) <= options.max_width:
            yield _side_by_side(rows)
            return
        header, *others = rows
        yield Text("")
        for row in others or [header]:
            for name, cell in zip(header, row, strict=True):
                label = name.copy()
                label.stylize("markdown.table.header")
                yield label if row is header else Text.assemble(label, ": ", cell)
            yield Text("")

    def _rows(self) -> Iterator[list[Text]]:
        if self.header is not None and self.header.row is not None:
            yield [cell.content for cell in self.header.row.cells]
        if self.body is not None:
            yield from ([cell.content for cell in row.cells] for row in self.body.rows)


class ReplyMarkdown(Markdown):
    """Markdown as replies are shown.

    Links show where they lead: a model must not hide an address behind a friendly word.

    Args:
        markdown: as a model wrote it.
    """

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": Code,
        "code_block": Code,
        "table_open": Columns,
    }

    def __init__(self, markdown: str) -> None:
        super().__init__("", code_theme="ansi_dark", hyperlinks=False)
        tokens = parse(markdown)
        self.markup = markdown
        self.parsed = tokens if tokens is not None else plain_tokens(markdown)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield it; as plain text where its nesting would leave no room for words."""
        deepest = max((token.level for token in self.parsed), default=0)
        if deepest * _PER_LEVEL > options.max_width - _LEAST_ROOM:
            yield Text(self.markup)
        else:
            yield from super().__rich_console__(console, options)


def _side_by_side(rows: list[list[Text]]) -> Table:
    header, *others = rows
    table = Table(box=None, pad_edge=False, padding=(0, _BETWEEN_COLUMNS, 0, 0))
    for name in header:
        table.add_column(name, overflow="fold", header_style="markdown.table.header")
    for row in others:
        table.add_row(*row)
    return table


def _longest_word(text: Text) -> int:
    return max((cell_len(word) for word in text.plain.split()), default=0)
