"""Tools that write files: ``write_file``, ``edit_file``."""

import hashlib
from typing import ClassVar

from pydantic import BaseModel, Field

from noctule.core.tools.effects import EffectClass
from tools.base.tool import ToolContext, ToolError, ToolResult
from tools.base.workspace import Workspace, readable_size
from tools.files.file_tool import WritingTool, plain_path
from tools.files.fuzzy_match import nearest

LONGEST_TEXT = 4_000_000
"""The longest text one call may carry, in characters."""

_SHOWN_AROUND = 2
_SHOWN_AT_MOST = 20


class WriteArguments(BaseModel):
    """What ``write_file`` takes."""

    path: str = Field(description="Relative to the workspace; folders are made.")
    content: str = Field(description="All that the file is to hold.", max_length=LONGEST_TEXT)


class WriteFile(WritingTool[WriteArguments]):
    """Makes a file, or replaces one as a whole."""

    name: ClassVar[str] = "write_file"
    description: ClassVar[str] = (
        "Write a whole file. One that exists is replaced; to change a part of it use edit_file."
    )
    arguments = WriteArguments
    effect = EffectClass.WRITE

    def subject(self, arguments: WriteArguments) -> str:
        """Return the path."""
        return plain_path(arguments.path)

    def replaces(self, arguments: WriteArguments) -> str:
        """Return the path."""
        return arguments.path

    def replacement(self, arguments: WriteArguments) -> bytes:
        """Return the content as it is stored."""
        return encoded(arguments.content)

    def _foresee(
        self, arguments: WriteArguments, workspace: Workspace
    ) -> dict[str, list[str | None]]:
        after = digest_of(encoded(arguments.content))
        return {arguments.path: [workspace.digest(arguments.path), after]}

    def _work(self, arguments: WriteArguments, context: ToolContext) -> ToolResult:
        workspace, path = context.workspace, arguments.path
        content = encoded(arguments.content)
        name = workspace.relative(workspace.resolve(path))
        if workspace.size(path) == len(content) and workspace.content(path) == content:
            return ToolResult(f"Nothing changed: {name} held exactly this before.")
        what = _replaced(workspace, path)
        workspace.put(path, content, context.call_id)
        size = f"{_lines(content)}, {readable_size(len(content))}"
        return ToolResult(f"Wrote {name}: {size}; {what}.", files=(name,))


class EditArguments(BaseModel):
    """What ``edit_file`` takes."""

    path: str = Field(description="Relative to the workspace.")
    old: str = Field(
        description="Exactly as in the file, without line numbers, with enough around it to "
        "occur once.",
        min_length=1,
        max_length=LONGEST_TEXT,
    )
    new: str = Field(description="What to put there.", max_length=LONGEST_TEXT)
    replace_all: bool = Field(default=False, description="Replace every occurrence.")


class EditFile(WritingTool[EditArguments]):
    """Replaces a text in a file by another, exactly."""

    name: ClassVar[str] = "edit_file"
    description: ClassVar[str] = (
        "Replace a text in a file. The old text must stand in it exactly, spaces and line "
        "breaks included, and only once unless replace_all is true."
    )
    arguments = EditArguments
    effect = EffectClass.WRITE

    def subject(self, arguments: EditArguments) -> str:
        """Return the path."""
        return plain_path(arguments.path)

    def _foresee(
        self, arguments: EditArguments, workspace: Workspace
    ) -> dict[str, list[str | None]]:
        was = _existing(workspace, arguments.path)
        edited, _ = _edited(was, arguments)
        return {arguments.path: [digest_of(was), digest_of(edited)]}

    def _work(self, arguments: EditArguments, context: ToolContext) -> ToolResult:
        workspace, path = context.workspace, arguments.path
        edited, places = _edited(_existing(workspace, path), arguments)
        workspace.put(path, edited, context.call_id)
        name = workspace.relative(workspace.resolve(path))
        count = "1 place" if len(places) == 1 else f"{len(places)} places"
        around = _around(edited, places[0], arguments.new.count("\n") + 1)
        shows = workspace.is_private
        return ToolResult(
            around,
            outside=shows,
            private=shows,
            files=(name,),
            notice=f"Edited {name} in {count}. It now reads:",
        )


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a content in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def encoded(text: str) -> bytes:
    """Return a text as it is stored; what ``decoded`` could not read comes out as it went in."""
    return text.encode("utf-8", "surrogateescape")


def decoded(content: bytes) -> str:
    """Return a content as text of which nothing is lost."""
    return content.decode("utf-8", "surrogateescape")


def _replaced(workspace: Workspace, path: str) -> str:
    """Say what a write is about to replace."""
    size = workspace.size(path)
    if size is None:
        return "a new file"
    if size > LONGEST_TEXT:
        return f"it replaced {readable_size(size)}"
    return f"it replaced {_lines(workspace.content(path) or b'')}"


def _existing(workspace: Workspace, path: str) -> bytes:
    content = workspace.content(path)
    if content is None:
        raise ToolError(f"There is no {path!r} to edit. write_file makes it.")
    return content


def _edited(content: bytes, arguments: EditArguments) -> tuple[bytes, list[int]]:
    text, old, new = decoded(content), arguments.old, arguments.new
    if old not in text and "\r\n" in text:
        # A model writes plain line breaks whatever the file has.
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
    count = text.count(old)
    if not count:
        raise ToolError(_not_found(arguments.path, text, arguments.old), outside=True)
    if old == new:
        raise ToolError("The old text and the new one are the same; nothing was changed.")
    places = _places(text, old, new)
    if count > 1 and not arguments.replace_all:
        lines = ", ".join(str(line) for line in _found_at(text, old)[:10])
        raise ToolError(
            f"That text stands {count} times in {arguments.path} (lines {lines}). Give more of "
            "what is around the one you mean, or set replace_all."
        )
    return encoded(text.replace(old, new)), places


def _found_at(text: str, old: str) -> list[int]:
    """Return the lines, from 1, in which a text begins."""
    lines, line, start = [], 1, 0
    while (at := text.find(old, start)) >= 0:
        line += text.count("\n", start, at)
        lines.append(line)
        line += old.count("\n")
        start = at + len(old)
    return lines


def _places(text: str, old: str, new: str) -> list[int]:
    """Return the lines, from 1, in which the new texts will begin."""
    grown = new.count("\n") - old.count("\n")
    return [line + number * grown for number, line in enumerate(_found_at(text, old))]


def _not_found(path: str, text: str, old: str) -> str:
    near = nearest(text.splitlines(), old.splitlines())
    if near is None:
        return f"That text does not stand in {path}. Read the file, then copy it from there."
    start, lines = near
    shown = "\n".join(f"{number:>6}\t{line}" for number, line in enumerate(lines, start))
    why = ""
    if [" ".join(line.split()) for line in lines] == [
        " ".join(o.split()) for o in old.splitlines()
    ]:
        why = " Only spaces differ."
    return f"That text does not stand in {path}.{why} What is nearest to it:\n{shown}"


def _around(content: bytes, line: int, height: int) -> str:
    lines = content.decode("utf-8", "replace").splitlines()
    start = max(1, line - _SHOWN_AROUND)
    end = min(len(lines), line + min(height, _SHOWN_AT_MOST) - 1 + _SHOWN_AROUND)
    return "\n".join(f"{n:>6}\t{lines[n - 1][:500]}" for n in range(start, end + 1))


def _lines(content: bytes) -> str:
    count = content.count(b"\n") + (bool(content) and not content.endswith(b"\n"))
    return "1 line" if count == 1 else f"{count:,} lines"
