"""The tool ``shell``: a command line in the workspace."""

import asyncio
import shutil
from typing import ClassVar

from pydantic import Field

from noctule.core.sessions.grants import Seal
from tools.base.tool import ToolContext, ToolError, ToolResult
from tools.shell.command_seal import command_seal
from tools.shell.command_tool import LONGEST_COMMAND, CommandArguments, CommandTool
from tools.shell.command_words import is_python


class ShellArguments(CommandArguments):
    """What ``shell`` takes."""

    command: str = Field(description="The command line.", min_length=1, max_length=LONGEST_COMMAND)


class Shell(CommandTool[ShellArguments]):
    """Runs a command line."""

    name: ClassVar[str] = "shell"
    description: ClassVar[str] = (
        "Run a command line with bash in the workspace: tests, builds, git. There is no network "
        "and no input. Each call starts anew in the workspace's root; outside it nothing can be "
        "changed, /tmp is gone afterwards, and what still runs is ended. You get the exit code "
        "and what was printed."
    )
    arguments = ShellArguments

    def subject(self, arguments: ShellArguments) -> str:
        """Return the command."""
        return arguments.command

    async def seal(self, arguments: ShellArguments, context: ToolContext) -> Seal:
        """Return that it is about this line, and the files it names as they are."""
        return await asyncio.to_thread(command_seal, arguments.command, context.workspace.root)

    async def run(self, arguments: ShellArguments, context: ToolContext) -> ToolResult:
        """Run it."""
        self._check_approved(context)
        if "\0" in arguments.command or len(arguments.command.encode()) > LONGEST_COMMAND:
            raise ToolError("The command is too long or holds a NUL; write a script and run that.")
        if is_python(arguments.command):
            raise ToolError(
                "Nothing was run: this is a program in Python and no command line. Use python for "
                "it, if you have that tool; else write it to a file and run `python3 FILE`."
            )
        bash = shutil.which("bash", path="/bin:/usr/bin:/usr/local/bin")
        shell = [bash, "--noprofile", "--norc"] if bash else ["/bin/sh"]
        argv = [*shell, "-c", arguments.command]
        return await self._run(argv, context, arguments.timeout_s)
