"""Where a text in Markdown that is still growing may be cut: what is before it changes no more."""

import re

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_CONTINUES = re.compile(r"\s|[-*+] |\d{1,9}[.)] |>|\|")


def finished_length(text: str) -> int:
    """Return how many characters of a growing text can be rendered for good.

    It ends behind a blank line outside of code, before a line that begins a block of its own: an
    indented line or another item would still belong to the list before it.
    """
    cut = start = 0
    fence = ""
    after_blank = False
    for line in text.splitlines(keepends=True):
        if not fence and after_blank and line.strip() and not _CONTINUES.match(line):
            cut = start
        fence = _fence_after(line, fence)
        after_blank = not line.strip() and (after_blank or not fence)
        start += len(line)
    return cut


def _fence_after(line: str, fence: str) -> str:
    """Return the fence that is open behind a line; "" when none is."""
    found = _FENCE.match(line)
    if found is None:
        return fence
    marks, rest = found[1], found[2].strip()
    if not fence:
        return "" if marks[0] == "`" and "`" in rest else marks
    closes = marks[0] == fence[0] and len(marks) >= len(fence) and not rest
    return "" if closes else fence
