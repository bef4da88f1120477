"""CommandTool: what the tools that run programs have in common."""

import asyncio
import os
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from noctule.core.clock import Clock
from noctule.core.settings.tools import ToolsSettings
from noctule.core.tools.effects import EffectClass
from tools.base.programs import persons_path
from tools.base.tool import ArgumentsT, Tool, ToolContext, ToolError, ToolResult
from tools.base.workspace import Workspace, readable_size, set_aside_made
from tools.sandbox.git_guard import GitGuard, GuardError, settled
from tools.sandbox.mounts import MountError, mounts_of
from tools.sandbox.sandbox import Sandbox, python_path
from tools.sandbox.set_id import set_id_files
from tools.shell.processes import Bounds, Ended, ProgramRun, limited, run_bounded

LONGEST_COMMAND = 100_000
"""The longest command in bytes; Linux refuses an argument of 128 KiB."""

_MIB = 1024 * 1024
_SLACK_BYTES = 16 * _MIB
_REST = 10
_REST_SECONDS = 0.2
_CLOCKS_DIFFER_SECONDS = 2.0  # a file's times come from a coarser clock
_OBEYS_NO_FOLDER = {
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "core.fsmonitor",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "safe.bareRepository",
    "GIT_CONFIG_VALUE_1": "explicit",
}
"""What keeps a command that only looks from running what a folder's git configuration names."""
_MEANINGS = {
    137: "it was killed (SIGKILL): by the system for memory, if nothing else is said",
    152: "it used more processor time than it may (SIGXCPU)",
    153: "it wrote a larger file than it may (SIGXFSZ)",
}


class CommandArguments(BaseModel):
    """What every command takes."""

    timeout_s: float | None = Field(
        default=None, gt=0, description="Ends it after so many seconds."
    )


class CommandTool(Tool[ArgumentsT]):
    """A tool that runs a program in the workspace.

    Args:
        settings: how long it may run and how much it may use.
        sandbox: what it runs in.
    """

    family: ClassVar[str] = "shell"
    effect = EffectClass.WRITE

    def __init__(self, settings: ToolsSettings, sandbox: Sandbox) -> None:
        self._settings = settings
        self._sandbox = sandbox

    def effect_of(self, arguments: ArgumentsT, context: ToolContext) -> EffectClass:
        """Return that it can change the workspace; without a sandbox, anything."""
        contained = self._sandbox.flaw_in(context.workspace) is None
        return EffectClass.WRITE if contained else EffectClass.OUTSIDE

    def needs_person(self, arguments: ArgumentsT, context: ToolContext) -> str | None:
        """Return why no sandbox works here, if none does."""
        return self._sandbox.flaw_in(context.workspace)

    async def before(self, arguments: ArgumentsT, context: ToolContext) -> Mapping[str, Any]:
        """Return whether it will run where it can change the workspace alone, and end with us."""
        contained = self._sandbox.flaw_in(context.workspace) is None
        return {"contained": contained and self._sandbox.encloses}

    async def happened(
        self, arguments: ArgumentsT, context: ToolContext, before: Mapping[str, Any]
    ) -> ToolResult | bool | None:
        """Tell the agent that a command was cut off, if all it can have changed is in sight.

        What ran in the sandbox died with the process that ran it, and is not run again.
        """
        if not before.get("contained"):
            return None
        text = (
            "Noctule stopped while this command ran, and the command was ended with it. It is not "
            "known how far it came, and it was not run again. Look at what is in the workspace; "
            "run it again if that does no harm."
        )
        aside = await asyncio.to_thread(settled, context.workspace)
        return ToolResult(text if aside is None else f"{text}\n{aside}")

    async def _run(
        self, argv: list[str], context: ToolContext, seconds: float | None
    ) -> ToolResult:
        """Run a program and tell what came of it.

        Raises:
            ToolError: it could not be started.
        """
        bounds = self._bounds(seconds)
        contained = self._sandbox.flaw_in(context.workspace) is None
        encloses = contained and self._sandbox.encloses
        argv = limited(argv, bounds, contained=encloses)
        folder = context.workspace.root
        env = environment(contained=contained, folder=folder)
        watch = await asyncio.to_thread(SizeWatch, context.workspace, context.clock)
        order = ProgramRun(argv, folder, env, encloses)
        try:
            if contained:
                ended, aside = await self._guarded(order, bounds, context, watch)
            else:
                ended = await run_bounded(order, bounds, context.clock, watch.look)
                aside = None
        except OSError as error:
            raise ToolError(f"The command could not be started: {error.strerror}.") from error
        except GuardError as error:
            raise ToolError(str(error)) from error
        text = told(ended)
        if aside is not None:
            text = f"{text.rstrip()}\n{aside}"
        if ended.stopped is None and (excess := await asyncio.to_thread(watch.excess)):
            text += f"\nNow {excess}. Delete what is no longer needed."
        private = not contained or context.workspace.is_private
        return ToolResult(text, outside=private, private=private)

    async def _guarded(
        self, order: ProgramRun, bounds: Bounds, context: ToolContext, watch: "SizeWatch"
    ) -> tuple[Ended, str | None]:
        """Run it in the sandbox; return also what the agent is told of repositories it made.

        Raises:
            GuardError: it may not run here, or it is not known what it made.
            OSError: it could not be started.
        """
        guard = GitGuard(context.workspace)
        await asyncio.to_thread(guard.begin)
        missing = context.workspace.missing()
        try:
            argv = await asyncio.to_thread(self._inside, order, context.workspace, guard)
            inside = replace(order, argv=argv)
            ended = await run_bounded(inside, bounds, context.clock, watch.look)
        finally:
            aside = await asyncio.to_thread(_end, guard)
            made = await asyncio.to_thread(set_aside_made, context.workspace, missing)
        return ended, "\n".join(filter(None, (aside, made))) or None

    def _inside(self, order: ProgramRun, workspace: Workspace, guard: GitGuard) -> list[str]:
        """Return the command in the sandbox, once it is known to keep what it must.

        Raises:
            GuardError: it does not.
            OSError: the sandbox could not be started.
        """
        try:
            git, set_id = guard.repositories(), set_id_files(workspace.root)
            mounts = mounts_of(
                workspace.root,
                writable=True,
                kept=workspace.guarded,
                repositories=replace(git, fixed=[*git.fixed, *set_id]),
                covered=guard.sockets(),
            )
            self._sandbox.prove(workspace, mounts)
        except MountError as error:
            raise GuardError(str(error)) from error
        return self._sandbox.wrapped(order.argv, workspace, order.env, mounts=mounts)

    def _check_approved(self, context: ToolContext) -> None:
        """Let nothing run outside a sandbox that nobody has approved.

        Raises:
            ToolError: it must be approved and was not.
        """
        flaw = self._sandbox.flaw_in(context.workspace)
        if flaw is not None and not context.approved:
            raise ToolError(f"{flaw} A person must approve each command, and nobody did.")

    def _bounds(self, seconds: float | None) -> Bounds:
        most = self._settings.command_timeout.total_seconds()
        return Bounds(
            seconds=most if seconds is None else min(seconds, most),
            memory_bytes=self._settings.command_memory_mb * _MIB,
            file_bytes=self._settings.workspace_mb * _MIB,
        )

    @abstractmethod
    async def run(self, arguments: ArgumentsT, context: ToolContext) -> ToolResult:
        """Run it."""


def _end(guard: GitGuard) -> str | None:
    try:
        return guard.end()
    except OSError as error:
        raise GuardError(
            "The command ran, but the workspace could not be looked through afterwards for git "
            f"repositories it made ({error.strerror}); the next command does that first. Tell the "
            "person to use no git there before."
        ) from error


def told(ended: Ended) -> str:
    """Return what an agent is told of a command that ended: how, why, and what it printed."""
    if ended.stopped is not None:
        head = f"Ended by Noctule: {ended.stopped}, with everything it had started"
    elif ended.exit_code is None:
        head = f"Ended by {ended.signal_name}"
    else:
        head = f"Exit code {ended.exit_code}"
        if meaning := _MEANINGS.get(ended.exit_code):
            head += f": {meaning}"
    head += f". It took {ended.duration_s:.1f} s."
    return f"{head}\n{ended.output}" if ended.output.strip() else f"{head} It printed nothing."


def environment(*, contained: bool, folder: Path) -> dict[str, str]:
    """Return the variables a command is given: none of Noctule's own, so no keys.

    Args:
        contained: in the sandbox; else it has the person's own home and path.
        folder: where it runs, absolute: no program is found there by its bare name.
    """
    kept = {name: value for name, value in os.environ.items() if name in ("TZ", "LANG", "LC_ALL")}
    env = {
        "LANG": "C.UTF-8",
        **kept,
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "GIT_TERMINAL_PROMPT": "0",
        "PYTHONUNBUFFERED": "1",
    }
    if contained:
        return {**env, "PATH": python_path(), "HOME": "/tmp", "TMPDIR": "/tmp"}  # noqa: S108 - the sandbox's own
    own = ("HOME", "USER", "LOGNAME", "TMPDIR")
    persons = {name: os.environ[name] for name in own if name in os.environ}
    return {**env, **_OBEYS_NO_FOLDER, **persons, "PATH": persons_path(but=folder)}


class SizeWatch:
    """Looks whether a command takes too much of the disk while it runs.

    A session's own workspace is measured. A folder that a person gave may be too large for that:
    there what the disk has lost is looked at first, and only if that is too much, the files that
    have changed.

    Args:
        workspace: where the command runs.
        clock: when it began; and to measure how long measuring takes.
    """

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self._workspace = workspace
        self._clock = clock
        self._again_at = clock.monotonic()
        self._begun = clock.now().timestamp() - _CLOCKS_DIFFER_SECONDS
        self._free = workspace.free_bytes()
        # A workspace that is full already can still be tidied up.
        at_first = workspace.used_bytes() if workspace.own else 0
        self._most = max(workspace.most_bytes, at_first + _SLACK_BYTES)

    def look(self, unlinked: int) -> str | None:
        """Return what is wrong, if anything is and it is time to look again.

        Args:
            unlinked: bytes in deleted files that are still open.
        """
        begun = self._clock.monotonic()
        if begun < self._again_at:
            return None
        excess = self.excess(unlinked)
        now = self._clock.monotonic()
        self._again_at = now + max(_REST_SECONDS, _REST * (now - begun))
        return excess

    def excess(self, unlinked: int = 0) -> str | None:
        """Return what is wrong, if anything is; see ``look``."""
        most = readable_size(self._most)
        if not self._workspace.own:
            if self._free - self._workspace.free_bytes() <= self._most:
                return None
            used = self._workspace.used_bytes(self._begun) + unlinked
            words = f"it has written {readable_size(used)}, and may write {most}"
        else:
            used = self._workspace.used_bytes() + unlinked
            words = f"the workspace holds {readable_size(used)}, and may hold {most}"
        return words if used > self._most else None
