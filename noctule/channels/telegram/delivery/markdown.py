"""Markdown: texts of others put into ours without becoming markup."""

_MARKS = r"\`*_[]()~|>#+-.!{}$&<=^"


def bare(text: str) -> str:
    """Return a text in which nothing counts as Markdown, on one line.

    Marks become character references: a backslash before a bracket begins a formula.
    """
    line = " ".join(text.split())
    return "".join(f"&#{ord(mark)};" if mark in _MARKS else mark for mark in line)
