"""FileTool: what the tools that touch files have in common."""

import asyncio
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from noctule.core.sessions.grants import Seal, digest_of
from noctule.core.settings.tools import ToolsSettings
from tools.base.tool import ArgumentsT, Tool, ToolContext, ToolError, ToolResult
from tools.base.workspace import PathError, Workspace


class FileTool(Tool[ArgumentsT]):
    """A tool that works in the workspace; its work runs in a thread, off the event loop.

    Args:
        settings: how much it may show.
    """

    family: ClassVar[str] = "files"

    def __init__(self, settings: ToolsSettings) -> None:
        self._most_shown = settings.output_bytes

    def subject_in(self, arguments: ArgumentsT, context: ToolContext) -> str | None:
        """Return the paths, and where they lead when they lead elsewhere."""
        return real_names(self.paths(arguments), context.workspace)

    async def seal(self, arguments: ArgumentsT, context: ToolContext) -> Seal:
        """Return that it is about exactly these paths."""
        return {"the path": digest_of(self.subject_in(arguments, context) or "")}

    def paths(self, arguments: ArgumentsT) -> Sequence[str]:
        """Return the paths as the model wrote them."""
        given: Any = arguments
        return (given.path,)

    async def run(self, arguments: ArgumentsT, context: ToolContext) -> ToolResult:
        """Do it, and say of every refusal what it was."""
        try:
            return await asyncio.to_thread(self._work, arguments, context)
        except PathError as error:
            raise ToolError(str(error)) from error
        except ToolError as error:  # it may show lines of a file
            shows = error.outside and context.workspace.is_private
            raise ToolError(str(error), outside=shows, private=shows) from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise ToolError(f"{self.name} came to nothing: {reason}.") from error

    @abstractmethod
    def _work(self, arguments: ArgumentsT, context: ToolContext) -> ToolResult:
        """Do it, blocking."""


class WritingTool(FileTool[ArgumentsT]):
    """A tool that changes files, and can tell from them whether it already did."""

    async def before(self, arguments: ArgumentsT, context: ToolContext) -> Mapping[str, Any]:
        """Return, for each file, what was in it and what is meant to be."""
        try:
            return await asyncio.to_thread(self._foresee, arguments, context.workspace)
        except (PathError, ToolError, OSError):
            # The call is about to be refused for the same reason and changes nothing.
            return {}

    async def happened(
        self, arguments: ArgumentsT, context: ToolContext, before: Mapping[str, Any]
    ) -> ToolResult | bool | None:
        """Compare the files with what was in them and what was meant to be."""
        if not before:
            return False
        try:
            return await asyncio.to_thread(self._compare, context, before)
        except (PathError, OSError):
            return None

    @abstractmethod
    def _foresee(self, arguments: ArgumentsT, workspace: Workspace) -> dict[str, list[str | None]]:
        """Return for each path the digests of its content before and after; None means no file."""

    def _compare(self, context: ToolContext, before: Mapping[str, Any]) -> ToolResult | bool | None:
        now = {path: context.workspace.digest(path) for path in before}
        if all(now[path] == after for path, (_, after) in before.items()):
            names = ", ".join(before)
            return ToolResult(f"Written before the restart: {names}.", files=tuple(before))
        if all(now[path] == was for path, (was, _) in before.items()):
            return False
        return None


def real_names(paths: Sequence[str], workspace: Workspace) -> str | None:
    """Return paths as rules and people know them: relative, and with a link what it leads to.

    Args:
        paths: as a model wrote them; what stands before a ``..`` in them may be a link.
        workspace: what they are relative to.
    """
    found: dict[str, None] = {}
    for path in paths:
        try:
            real = workspace.relative(workspace.resolve(path))
        except PathError:
            real = plain_path(path)  # it is about to be refused
        if not Path(path).is_absolute():
            found[plain_path(path)] = None
        found[real] = None
    return "\n".join(found) or None


def plain_path(text: str) -> str:
    """Return a path in its plainest form, for patterns and for people."""
    return os.path.normpath(text) if text else "."
