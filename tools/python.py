"""The tool ``python``: a program in Python, run in the workspace."""

import asyncio
import re
import sys
from typing import ClassVar

from pydantic import Field

from noctule.core.grants import Seal, digest_of
from tools.command_tool import CommandArguments, CommandTool
from tools.command_words import is_command_line
from tools.tool import ToolContext, ToolError, ToolResult
from tools.workspace import OUTPUTS, PathError

_LONGEST_CODE = 1_000_000


class PythonArguments(CommandArguments):
    """What ``python`` takes."""

    code: str = Field(description="The program.", min_length=1, max_length=_LONGEST_CODE)


class Python(CommandTool[PythonArguments]):
    """Runs a program in Python."""

    name: ClassVar[str] = "python"
    description: ClassVar[str] = (
        "Run a Python program in the workspace, to calculate, convert and look at data. Print "
        "what you want to know. Modules of the workspace can be imported; there is no network "
        "and no input, and nothing is kept between calls."
    )
    arguments = PythonArguments

    def subject(self, arguments: PythonArguments) -> str:
        """Return the program."""
        return arguments.code

    async def seal(self, arguments: PythonArguments, context: ToolContext) -> Seal:
        """Return that it is about exactly this program."""
        return {"the code": digest_of(arguments.code)}

    async def run(self, arguments: PythonArguments, context: ToolContext) -> ToolResult:
        """Keep the program as a file, where a traceback finds its lines, and run it."""
        if is_command_line(arguments.code):
            raise ToolError(
                "Nothing was run: this is a command line and no program in Python. Use shell for "
                "it, if you have that tool; else write it in Python."
            )
        self._check_approved(context)
        name = re.sub(r"[^A-Za-z0-9_-]", "_", context.call_id)[:100]
        path, workspace = f"{OUTPUTS}/{name}.py", context.workspace
        try:
            code = arguments.code.encode()
            await asyncio.to_thread(workspace.put, path, code, context.call_id)
        except PathError as error:
            raise ToolError(str(error)) from error
        argv = [sys.executable, str(workspace.root / path)]
        root = str(workspace.root)
        return await self._run(argv, context, arguments.timeout_s, PYTHONPATH=root)
