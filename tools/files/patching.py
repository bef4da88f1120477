"""The tool ``apply_patch``: a unified diff, applied to all its files or to none."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from noctule.core.tools.effects import EffectClass
from tools.base.tool import ToolContext, ToolError, ToolResult
from tools.base.workspace import PathError, Workspace
from tools.files.file_tool import WritingTool, plain_path
from tools.files.file_writing import LONGEST_TEXT, decoded, digest_of, encoded
from tools.files.patches import FilePatch, PatchError, apply_hunks, read_patch

_Contents = dict[str, bytes | None]


class PatchArguments(BaseModel):
    """What ``apply_patch`` takes."""

    patch: str = Field(
        description="--- a/path, +++ b/path, then hunks that begin with @@ -3,4 +3,5 @@. "
        "/dev/null as a path makes or deletes a file.",
        min_length=1,
        max_length=LONGEST_TEXT,
    )


class ApplyPatch(WritingTool[PatchArguments]):
    """Changes several files at once, or none of them."""

    name: ClassVar[str] = "apply_patch"
    description: ClassVar[str] = (
        "Apply a unified diff: change, make and delete several files at once. Old lines must "
        "stand in the files exactly; when one change does not fit, no file is changed."
    )
    arguments = PatchArguments
    effect = EffectClass.WRITE

    def subject(self, arguments: PatchArguments) -> str | None:
        """Return the paths, a line each; None when the patch cannot be read."""
        return "\n".join(dict.fromkeys(map(plain_path, self.paths(arguments)))) or None

    def paths(self, arguments: PatchArguments) -> Sequence[str]:
        """Return the paths as they stand in the patch; () when it cannot be read."""
        try:
            patches = read_patch(arguments.patch)
        except PatchError:
            return ()
        return [path for patch in patches for path in (patch.old, patch.new) if path]

    async def happened(
        self, arguments: PatchArguments, context: ToolContext, before: Mapping[str, Any]
    ) -> ToolResult | bool | None:
        """Compare the files with what was in them and what was meant to be.

        One that was cut off between two files is finished: all or nothing.
        """
        answer = await super().happened(arguments, context, before)
        if answer is not None:
            return answer
        try:
            return await asyncio.to_thread(_finish, arguments.patch, context, before)
        except (PatchError, PathError, OSError):
            return None

    def _foresee(
        self, arguments: PatchArguments, workspace: Workspace
    ) -> dict[str, list[str | None]]:
        was, after = _foreseen(arguments.patch, workspace)
        return {path: [_digest(was[path]), _digest(after[path])] for path in after}

    def _work(self, arguments: PatchArguments, context: ToolContext) -> ToolResult:
        workspace = context.workspace
        was, after = _foreseen(arguments.patch, workspace)
        order = sorted(after, key=lambda path: after[path] is None)  # what is deleted goes last
        try:
            for path in order:
                _set(workspace, path, after[path], context.call_id)
        except BaseException:
            for path in order:
                _set(workspace, path, was[path], context.call_id)
            raise
        told = [f"{_verb(was[path], after[path])} {path}" for path in after]
        return ToolResult("Patch applied: " + ", ".join(told) + ".", files=tuple(after))


def _foreseen(patch: str, workspace: Workspace) -> tuple[_Contents, _Contents]:
    """Return what is in each file and what will be; None means no file.

    Raises:
        ToolError: the patch cannot be read or does not fit.
    """
    was: _Contents = {}
    after: _Contents = {}
    try:
        for each in read_patch(patch):
            _foresee_file(each, workspace, was, after)
    except PatchError as error:
        raise ToolError(str(error), outside=True) from error
    return was, after


def _foresee_file(patch: FilePatch, workspace: Workspace, was: _Contents, after: _Contents) -> None:
    names = {}
    for path in (patch.old, patch.new):
        if path is not None:
            name = names[path] = workspace.relative(workspace.resolve(path))
            if name not in was:
                was[name] = after[name] = workspace.content(path)
    old = None if patch.old is None else names[patch.old]
    new = None if patch.new is None else names[patch.new]
    if old is None and new is not None and after[new] is not None:
        raise PatchError(f"{new} is to be made, but it exists. Write the patch against it.")
    content = b"" if old is None else after[old]
    if content is None:
        raise PatchError(f"There is no {old} to change. list_files shows what there is.")
    text = apply_hunks(str(new or old), decoded(content), patch.hunks)
    if old is not None and old != new:
        if new is not None and after[new] is not None:
            raise PatchError(
                f"{old} is to be renamed to {new}, but that exists and would be lost. Delete it "
                "in the same patch first, or choose another name."
            )
        after[old] = None
    if new is not None:
        after[new] = encoded(text)
    elif text:
        raise PatchError(f"{old} is to be deleted, but holds more than the patch takes away.")


def _finish(patch: str, context: ToolContext, before: Mapping[str, Any]) -> ToolResult | None:
    """Do what is left of a patch; None when a file is neither as it was nor as it was to be."""
    workspace = context.workspace
    now = {path: workspace.digest(path) for path in before}
    if any(now[path] not in states for path, states in before.items()):
        return None
    left = [path for path, (_, after) in before.items() if now[path] != after]
    contents: _Contents = {}
    for each in read_patch(patch):
        if each.new and workspace.relative(workspace.resolve(each.new)) in left:
            _foresee_file(each, workspace, {}, contents)
    contents = {path: contents[path] if before[path][1] else None for path in left}
    if any(_digest(contents[path]) != before[path][1] for path in left):
        return None
    for path in sorted(left, key=lambda path: contents[path] is None):
        _set(workspace, path, contents[path], context.call_id)
    names = ", ".join(before)
    return ToolResult(f"Patch applied: {names}. A restart had cut it off.", files=tuple(before))


def _set(workspace: Workspace, path: str, content: bytes | None, token: str) -> None:
    if content is not None:
        workspace.put(path, content, token)
    elif workspace.resolve(path).exists():
        workspace.remove(path)


def _digest(content: bytes | None) -> str | None:
    return None if content is None else digest_of(content)


def _verb(was: bytes | None, after: bytes | None) -> str:
    if after is None:
        return "deleted"
    return "made" if was is None else "changed"
