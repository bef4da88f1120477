"""The family ``files``: everything an agent can do with the files of its workspace."""

from typing import Any

from noctule.core.settings.tools import ToolsSettings
from tools.base.tool import Tool
from tools.files.file_reading import ListFiles, ReadFile
from tools.files.file_search import SearchFiles
from tools.files.file_writing import EditFile, WriteFile
from tools.files.patching import ApplyPatch
from tools.sandbox.sandbox import Sandbox


def file_tools(settings: ToolsSettings, sandbox: Sandbox | None = None) -> list[Tool[Any]]:
    """Return the tools that work on files.

    Args:
        settings: how much they may show.
        sandbox: what ripgrep runs in; None means in none.
    """
    return [
        ListFiles(settings),
        ReadFile(settings),
        SearchFiles(settings, sandbox),
        WriteFile(settings),
        EditFile(settings),
        ApplyPatch(settings),
    ]
