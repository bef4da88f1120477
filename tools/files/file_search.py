"""The tool ``search_files``: ripgrep where there is one, else a program that prints the same."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, Field

from noctule.core.settings.tools import ToolsSettings
from noctule.core.tools.effects import EffectClass
from tools.base.programs import system_program
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult
from tools.base.workspace import PART_PREFIX, PathError, Workspace
from tools.files.file_reading import NOT_LOOKED_INTO, is_outside
from tools.files.file_tool import plain_path, real_names
from tools.sandbox.sandbox import Sandbox
from tools.shell.command_tool import environment
from tools.shell.processes import Bounds, Ended, ProgramRun, limited, run_bounded

_SECONDS = 30.0
_MEMORY_BYTES = 1024 * 1024 * 1024
_MOST_PRINTED_BYTES = 4 * 1024 * 1024
_LONGEST_SHOWN = 250
_LARGEST_FILE = "64M"
_NONE_FOUND, _WRONG = 1, 2


class FileSearchArguments(BaseModel):
    """What ``search_files`` takes."""

    pattern: str = Field(description="A regular expression.", min_length=1, max_length=2000)
    path: str = Field(default=".", description="A folder or file, relative to the workspace.")
    glob: str | None = Field(default=None, description="Only names like *.py.", max_length=500)
    literal: bool = Field(default=False, description="Take the pattern as plain text.")
    ignore_case: bool = False
    most: int = Field(default=100, ge=1, le=1000, description="Lines to show.")


class SearchFiles(Tool[FileSearchArguments]):
    """Finds lines in files.

    Args:
        settings: how much it may show.
        sandbox: what ripgrep runs in if it works; so a file that is exchanged for a link while it
            searches shows nothing from outside.
        ripgrep: the program; "" means there is none, None looks for it.
        seconds: how long a search may take.
    """

    name: ClassVar[str] = "search_files"
    family: ClassVar[str] = "files"
    description: ClassVar[str] = (
        "Find lines in files by a regular expression; you get path, number and text of each. "
        "Binary files and folders like .git and node_modules are left out; name one as path to "
        "search it."
    )
    arguments = FileSearchArguments
    effect = EffectClass.READ

    def __init__(
        self,
        settings: ToolsSettings,
        sandbox: Sandbox | None = None,
        *,
        ripgrep: str | None = None,
        seconds: float = _SECONDS,
    ) -> None:
        self._most_shown = settings.output_bytes
        self._sandbox = sandbox
        self._ripgrep = ripgrep
        self._seconds = seconds

    def subject(self, arguments: FileSearchArguments) -> str:
        """Return the path."""
        return plain_path(arguments.path)

    def subject_in(self, arguments: FileSearchArguments, context: ToolContext) -> str | None:
        """Return the path, and where it leads when it leads elsewhere."""
        return real_names([arguments.path], context.workspace)

    async def run(self, arguments: FileSearchArguments, context: ToolContext) -> ToolResult:
        """Search."""
        if "\0" in arguments.pattern + (arguments.glob or ""):
            raise ToolError("The pattern holds a NUL; text files hold none.")
        try:
            base = await asyncio.to_thread(_existing, context.workspace, arguments.path)
            ended = await self._search(arguments, base, context)
        except PathError as error:
            raise ToolError(str(error)) from error
        except OSError as error:
            raise ToolError(f"The search could not be started: {error.strerror}.") from error
        found = list(_found(ended.output))
        if not found and ended.exit_code not in (0, _NONE_FOUND):
            raise ToolError(_why_not(ended))
        text = self._told(found, arguments, complete=ended.stopped is None)
        return ToolResult(
            text, outside=is_outside(context.workspace, base), private=context.workspace.is_private
        )

    async def _search(
        self, arguments: FileSearchArguments, base: str, context: ToolContext
    ) -> Ended:
        bounds = Bounds(
            self._seconds,
            _MEMORY_BYTES,
            context.workspace.most_bytes,
            output_bytes=_MOST_PRINTED_BYTES,
        )
        program = self._program()
        sandbox = self._sandbox if program else None
        contained = sandbox is not None and sandbox.flaw_in(context.workspace) is None
        folder = context.workspace.root
        env = environment(contained=contained, folder=folder)
        argv = _ripgrep(program, arguments, base) if program else _own(arguments, base)
        encloses = contained and sandbox is not None and sandbox.encloses
        argv = limited(argv, bounds, contained=encloses)
        if contained and sandbox is not None and program:
            argv = sandbox.wrapped(argv, context.workspace, env, writable=False, shown=(program,))
        order = ProgramRun(argv, folder, env, encloses)
        return await run_bounded(order, bounds, context.clock)

    def _program(self) -> str:
        if self._ripgrep is None:
            self._ripgrep = system_program("rg", beside_python=True) or ""
        return self._ripgrep

    def _told(
        self, found: list[tuple[str, str]], arguments: FileSearchArguments, *, complete: bool
    ) -> str:
        lines: list[str] = []
        room = self._most_shown - 200
        for place, text in found:
            shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]} ..."
            line = f"{place}: {shown}"
            room -= len(line.encode("utf-8", "replace")) + 1
            if len(lines) >= arguments.most or (room < 0 and lines):
                complete = False
                break
            lines.append(line)
        if not lines:
            lines.append("No line fits." if complete else "Nothing was found before it was ended.")
        if not complete:
            lines.append("... and perhaps more. Narrow the pattern, the path or the glob.")
        return "\n".join(lines)


def _existing(workspace: Workspace, path: str) -> str:
    real = workspace.resolve(path)
    if not real.exists():
        raise PathError(f"There is no {path!r} in the workspace; list_files shows it.")
    return workspace.relative(real)


def _skipped(base: str) -> list[str]:
    """Return the folders to leave out: none that the path itself leads through."""
    return sorted(NOT_LOOKED_INTO - set(base.split("/")))


def _ripgrep(program: str, arguments: FileSearchArguments, base: str) -> list[str]:
    argv = [program, "--no-config", "--no-ignore", "--hidden", "--no-messages", "--no-heading"]
    argv += ["--with-filename", "--line-number", "--null", "--color=never", "--sort=path"]
    argv += [f"--max-filesize={_LARGEST_FILE}", "--max-columns=2000", "--max-columns-preview"]
    if arguments.glob:
        argv += ["--glob", arguments.glob]
    for name in [*_skipped(base), f"{PART_PREFIX}*"]:
        argv += ["--glob", f"!**/{name}"]
    argv += ["--fixed-strings"] if arguments.literal else []
    argv += ["--ignore-case"] if arguments.ignore_case else []
    return [*argv, f"--regexp={arguments.pattern}", "--", f"./{base}"]


def _own(arguments: FileSearchArguments, base: str) -> list[str]:
    order = {
        "pattern": arguments.pattern,
        "literal": arguments.literal,
        "ignore_case": arguments.ignore_case,
        "glob": arguments.glob,
        "path": f"./{base}",
        "skipped": _skipped(base),
    }
    script = str(Path(__file__).with_name("search_fallback.py"))
    return [sys.executable, "-I", "-S", script, json.dumps(order)]


def _found(output: str) -> Iterator[tuple[str, str]]:
    """Give ``path:line`` and the text of each line that was printed as a find."""
    for line in output.split("\n"):
        path, null, rest = line.partition("\0")
        number, colon, text = rest.partition(":")
        if null and colon and number.isdigit():
            yield f"{path.removeprefix('./').removeprefix('./')}:{number}", text.rstrip("\r")


def _why_not(ended: Ended) -> str:
    if ended.stopped is not None:
        return f"The search was ended: {ended.stopped}. Use a simpler pattern or a narrower path."
    if ended.exit_code == _WRONG:
        return f"The pattern is no regular expression; set literal for plain text. {ended.output}"
    return f"The search came to nothing (exit code {ended.exit_code}). {ended.output[:500]}"
