"""Wraps lines of docstrings and comments that a longer name has made too long for the format."""

import ast
import io
import tokenize
from pathlib import Path

MOST = 100


def wrapped(text: str) -> str:
    """Return a program whose prose fits; what is too long elsewhere stays as it is."""
    if all(len(line) <= MOST for line in text.splitlines()):
        return text
    lines = text.split("\n")
    prose = _prose(text)
    at = 0
    while at < len(lines):
        if len(lines[at]) > MOST and at in prose:
            prose = _push(lines, at, prose)
        at += 1
    return "\n".join(lines)


def _push(lines: list[str], at: int, prose: set[int]) -> set[int]:
    """Move what does not fit to the next line of the paragraph, or to one of its own.

    Returns:
        The numbers of the lines of prose, as they are then.
    """
    line = lines[at]
    indent = line[: len(line) - len(line.lstrip())]
    cut = line.rfind(" ", len(indent) + 1, MOST + 1)
    mark = "# " if line.lstrip().startswith("# ") else ""
    if cut <= len(indent) + len(mark):
        return prose
    lines[at], rest = line[:cut], line[cut + 1 :]
    after = lines[at + 1] if at + 1 in prose else ""
    hanging = indent + ("    " if _opens_entry(line) else "")
    flows = after.startswith(f"{hanging}{mark}") and after.strip() not in ("", '"""')
    if flows and after[len(hanging) + len(mark)] not in ' -*"':
        lines[at + 1] = f"{hanging}{mark}{rest} {after[len(hanging) + len(mark) :]}"
        return prose
    lines.insert(at + 1, f"{hanging}{mark}{rest}")
    return {number + (number > at) for number in prose} | {at + 1}


def _opens_entry(line: str) -> bool:
    """Say whether a line begins the words on one argument or error: ``name: words``."""
    name, colon, _ = line.strip().partition(": ")
    return bool(colon) and name.isidentifier()


def _prose(text: str) -> set[int]:
    """Return the numbers, from 0, of the lines in docstrings and of comments that stand alone."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                found.update(range(node.lineno - 1, node.end_lineno or node.lineno))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#"):
            found.add(token.start[0] - 1)
    return found


def wrap_file(path: Path) -> None:
    """Wrap one file where it needs it."""
    text = path.read_text(encoding="utf-8")
    made = wrapped(text)
    if made != text:
        path.write_text(made, encoding="utf-8")
