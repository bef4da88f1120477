"""The families ``shell`` and ``python``: running programs in the workspace."""

from typing import Any

from noctule.core.settings.tools import ToolsSettings
from tools.base.tool import Tool
from tools.sandbox.sandbox import Sandbox
from tools.shell.python import Python
from tools.shell.shell import Shell


def command_tools(settings: ToolsSettings, sandbox: Sandbox) -> list[Tool[Any]]:
    """Return the tools that run programs.

    Args:
        settings: how long they may run and how much they may use.
        sandbox: what they run in.
    """
    return [Shell(settings, sandbox), Python(settings, sandbox)]
