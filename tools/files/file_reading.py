"""Tools that read files: ``list_files``, ``read_file``."""

import fnmatch
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, ClassVar

from pydantic import BaseModel, Field

from noctule.core.tools.effects import EffectClass
from tools.base.tool import ToolContext, ToolError, ToolResult
from tools.base.workspace import OUTPUTS, PART_PREFIX, Workspace, readable_size
from tools.files.file_tool import FileTool, plain_path

NOT_LOOKED_INTO = frozenset({
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache",
    ".pytest_cache", ".ruff_cache", ".tox", ".nox", OUTPUTS,
})  # fmt: skip
"""Folders that hold what tools have made; they are listed and searched only when they are named."""

_MOST_ENTRIES = 1000
_LONGEST_LINE_BYTES = 2000
_SKIPPED_BYTES = 256 * 1024 * 1024
_SNIFFED_BYTES = 8192


class ListArguments(BaseModel):
    """What ``list_files`` takes."""

    path: str = Field(default=".", description="Relative to the workspace.")
    depth: int = Field(default=3, ge=1, le=50, description="Levels of folders to show.")
    pattern: str | None = Field(
        default=None,
        description="Only names or paths like *.py or tests/*.py.",
        max_length=500,
    )


class ListFiles(FileTool[ListArguments]):
    """Lists what is in a folder."""

    name: ClassVar[str] = "list_files"
    description: ClassVar[str] = (
        "List files and folders with their sizes. Folders like .git, .venv and node_modules are "
        "named but not looked into; name one as path to see it."
    )
    arguments = ListArguments
    effect = EffectClass.READ

    def subject(self, arguments: ListArguments) -> str:
        """Return the path."""
        return plain_path(arguments.path)

    def _work(self, arguments: ListArguments, context: ToolContext) -> ToolResult:
        workspace = context.workspace
        folder = workspace.resolve(arguments.path)
        if not folder.is_dir():
            what = "is a file; read_file shows it" if folder.exists() else "does not exist"
            raise ToolError(f"{arguments.path!r} {what}.")
        base = workspace.relative(folder)
        lines: list[str] = []
        size = 0
        for line in _entries(workspace, base, arguments):
            size += len(line) + 1
            if len(lines) >= _MOST_ENTRIES or size > self._most_shown - 200:
                lines.append("... and more. Name a folder as path, a pattern, or less depth.")
                break
            lines.append(line)
        if not lines:
            lines.append("Nothing fits." if arguments.pattern else "The folder is empty.")
        return ToolResult(
            "\n".join(lines), outside=is_outside(workspace, base), private=workspace.is_private
        )


def _entries(workspace: Workspace, base: str, arguments: ListArguments) -> Iterator[str]:
    """Give the lines of a listing; walking by descriptors, no symlink leads out."""
    top = workspace.root / base
    for where, folders, files, descriptor in os.fwalk(top, follow_symlinks=False):
        at = os.path.relpath(where, workspace.root)
        level = 0 if where == str(top) else os.path.relpath(where, top).count(os.sep) + 1
        folders.sort()
        for name in folders:
            if arguments.pattern is None:
                closed = name in NOT_LOOKED_INTO or level + 1 >= arguments.depth
                yield f"{_joined(at, name)}/" + ("  (not looked into)" if closed else "")
        for name in sorted(files):
            path = _joined(at, name)
            if not name.startswith(PART_PREFIX) and _fits(path, name, arguments.pattern):
                yield _described(path, name, descriptor)
        if level + 1 >= arguments.depth:
            folders.clear()
        folders[:] = [name for name in folders if name not in NOT_LOOKED_INTO]


def _joined(at: str, name: str) -> str:
    path = name if at == "." else f"{at}/{name}"
    return path.encode("utf-8", "replace").decode("utf-8", "replace")


def _fits(path: str, name: str, pattern: str | None) -> bool:
    return pattern is None or fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(path, pattern)


def _described(path: str, name: str, folder: int) -> str:
    try:
        entry = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(entry.st_mode):
            return f"{path} -> {os.readlink(name, dir_fd=folder)}"
    except OSError:
        return path
    return f"{path}  {readable_size(entry.st_size)}"


class ReadArguments(BaseModel):
    """What ``read_file`` takes."""

    path: str = Field(description="Relative to the workspace.")
    start: int = Field(default=1, ge=1, description="The first line to show.")
    lines: int | None = Field(
        default=None, ge=1, description="How many; without it as many as fit."
    )


class ReadFile(FileTool[ReadArguments]):
    """Shows lines of a text file with their numbers."""

    name: ClassVar[str] = "read_file"
    description: ClassVar[str] = (
        "Read a text file. Each line comes with its number and a tab, which are not part of the "
        "file. Of a long file a part is shown, and how to read on."
    )
    arguments = ReadArguments
    effect = EffectClass.READ

    def subject(self, arguments: ReadArguments) -> str:
        """Return the path."""
        return plain_path(arguments.path)

    def _work(self, arguments: ReadArguments, context: ToolContext) -> ToolResult:
        workspace = context.workspace
        with workspace.reading(arguments.path) as file:
            size = os.fstat(file.fileno()).st_size
            _refuse_binary(arguments.path, file.read(_SNIFFED_BYTES), size)
            file.seek(0)
            text = _numbered(file, arguments, self._most_shown - 300)
        name = workspace.relative(workspace.resolve(arguments.path))
        return ToolResult(
            text or f"{name} is empty.",
            outside=is_outside(workspace, name),
            private=workspace.is_private,
        )


def is_outside(workspace: Workspace, path: str) -> bool:
    """Return whether what stands in a file was written by others.

    Where people sent files any other may be a copy of one.

    Args:
        workspace: where it is.
        path: relative to its root.
    """
    return workspace.is_private or path.split("/", 1)[0] == OUTPUTS


def _refuse_binary(path: str, head: bytes, size: int) -> None:
    if b"\0" in head:
        raise ToolError(
            f"{path} is no text but a binary file of {readable_size(size)}. Look at it with a "
            "program that knows its kind."
        )


def _numbered(file: BinaryIO, arguments: ReadArguments, room: int) -> str:
    shown: list[str] = []
    number, end = 0, None
    last = None if arguments.lines is None else arguments.start + arguments.lines - 1
    for number, line in _lines(file, arguments.start):
        if number < arguments.start:
            continue
        if last is not None and number > last:
            end = f"(line {number} and more follow)"
            break
        text = f"{number:>6}\t{line}"
        room -= len(text.encode("utf-8", "replace")) + 1
        if room < 0 and shown:
            end = f"(line {number} and more follow: read on with start={number})"
            break
        shown.append(text)
    if not shown and arguments.start > 1:
        if file.tell() >= _SKIPPED_BYTES:
            raise ToolError(
                f"Line {arguments.start} stands beyond the first {readable_size(_SKIPPED_BYTES)}, "
                "which is how far this reads. search_files finds a text anywhere in it."
            )
        raise ToolError(f"{arguments.path} has {number} lines; there is no {arguments.start}.")
    return "\n".join([*shown, end] if end else shown)


def _lines(file: BinaryIO, start: int) -> Iterator[tuple[int, str]]:
    """Give lines with their numbers; of a very long one its beginning, and never all at once."""
    number, cut = 0, 0
    while file.tell() < _SKIPPED_BYTES and (piece := file.readline(_LONGEST_LINE_BYTES)):
        number += 1
        ended = piece.endswith(b"\n")
        while not ended and (rest := file.readline(65536)):
            cut += len(rest)
            ended = rest.endswith(b"\n")
            if file.tell() >= _SKIPPED_BYTES:
                break
        line = piece.decode("utf-8", "replace").rstrip("\r\n") if number >= start else ""
        yield number, f"{line} ... ({cut:,} more bytes in this line)" if cut else line
        cut = 0
