"""The tool ``python``: a program in Python, run in the workspace."""

import asyncio
import re
import sys
from typing import ClassVar

from pydantic import Field

from noctule.core.sessions.grants import Seal, digest_of
from tools.base.tool import ToolContext, ToolError, ToolResult
from tools.base.workspace import OUTPUTS, PathError
from tools.shell.command_seal import code_seal
from tools.shell.command_tool import CommandArguments, CommandTool
from tools.shell.command_words import is_command_line

_LONGEST_CODE = 1_000_000

_START = """\
import hashlib, sys
folder, __file__, digest = sys.argv[1:]
with open(__file__, "rb") as program:
    code = program.read()
if hashlib.sha256(code).hexdigest() != digest:
    sys.exit("Nothing was run: somebody else changed the program after it was written.")
installed = [path.endswith("-packages") for path in sys.path]
sys.path.insert((installed + [True]).index(True), folder)
sys.argv = [__file__]
code = compile(code, __file__, "exec")
del hashlib, sys, folder, digest, program, installed
exec(code)
"""
"""Isolated, Python runs nothing of the workspace before the program: no ``sitecustomize``, no
``usercustomize``, no variable that names a file. Modules of the workspace are found behind those of
the standard library, which none of them can take the place of."""


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
        """Return that it is about this program, and the modules it imports by name."""
        return await asyncio.to_thread(code_seal, arguments.code, context.workspace.root)

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
        start = [sys.executable, "-I", "-u", "-c", _START]
        argv = [*start, str(workspace.root), str(workspace.root / path), digest_of(code)]
        return await self._run(argv, context, arguments.timeout_s)
