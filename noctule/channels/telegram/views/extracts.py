"""Extracts: long code and wide tables of an answer, which come as files."""

import re
from dataclasses import dataclass

LONG_CODE_CHARS = 3000
"""Code longer than this comes as a file."""

WIDE_TABLE_CHARS = 60
"""A table wider than this is unreadable on a phone and comes as a file."""

_FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_TABLE = re.compile(r"(?:^[ \t]*\|[^\n]*\|[ \t]*(?:\n|\Z)){3,}", re.MULTILINE)
_ENDINGS = {
    "python": "py",
    "py": "py",
    "bash": "sh",
    "sh": "sh",
    "shell": "sh",
    "javascript": "js",
    "js": "js",
    "typescript": "ts",
    "ts": "ts",
    "json": "json",
    "yaml": "yaml",
    "html": "html",
    "css": "css",
    "sql": "sql",
    "rust": "rs",
    "go": "go",
    "java": "java",
    "c": "c",
    "cpp": "cpp",
    "c++": "cpp",
    "toml": "toml",
    "diff": "diff",
    "markdown": "md",
}


@dataclass(frozen=True, slots=True)
class Extract:
    """A part of an answer that comes as a file.

    Args:
        name: the file's.
        content: what is in it.
    """

    name: str
    content: str


def extract_files(markdown: str) -> tuple[str, list[Extract]]:
    """Take long code and wide tables out of an answer.

    Returns:
        The answer with a line in place of each, and the files.
    """
    files: list[Extract] = []

    def code(match: re.Match[str]) -> str:
        if len(match["code"]) <= LONG_CODE_CHARS:
            return match[0]
        ending = _ENDINGS.get(match["language"].lower(), "txt")
        files.append(Extract(f"code-{len(files) + 1}.{ending}", match["code"]))
        return f"📎 {files[-1].name} ({match['code'].count(chr(10)):,} lines)\n"

    def table(match: re.Match[str]) -> str:
        if max(map(len, match[0].splitlines())) <= WIDE_TABLE_CHARS:
            return match[0]
        files.append(Extract(f"table-{len(files) + 1}.md", match[0]))
        return f"📎 {files[-1].name} (a wide table)\n"

    pieces, end = [], 0
    for fence in _FENCE.finditer(markdown):  # a table within code is code
        pieces += [_TABLE.sub(table, markdown[end : fence.start()]), code(fence)]
        end = fence.end()
    pieces.append(_TABLE.sub(table, markdown[end:]))
    return "".join(pieces), files
