"""Markdown: texts of others put into ours without becoming markup."""

_MARKS = r"\`*_[]()~|>#+-.!{}"


def bare(text: str) -> str:
    """Return a text in which nothing counts as Markdown, on one line."""
    return "".join(f"\\{mark}" if mark in _MARKS else mark for mark in " ".join(text.split()))


def code(text: str) -> str:
    """Return a text as inline code, on one line."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"
