"""The lean face of the roles: which few tools a small model is offered, and in what words."""

from collections.abc import Mapping

from noctule.core.base.roles import Role

LEAN_TOOLS: Mapping[Role, tuple[str, ...]] = {
    Role.CHAT: ("ask", "remember", "recall", "my_sessions", "session_details", "web_search"),
    Role.ENGINEER: (
        "list_files",
        "read_file",
        "search_files",
        "write_file",
        "edit_file",
        "shell",
        "write_code",
    ),
    Role.RESEARCH: ("web_search", "fetch", "read_file", "search_files", "write_file", "ask"),
    Role.WRITER: ("read_file", "list_files", "write_file", "edit_file", "web_search", "fetch"),
}
"""By role; what a person added (MCP, own tools) stands beside them."""

_DESCRIPTIONS = {
    "list_files": "List the files of the workspace.",
    "read_file": "Read a text file. The number and tab before each line are not part of it.",
    "search_files": "Find lines in files by a regular expression.",
    "write_file": "Write a whole new file, or replace one you have read.",
    "edit_file": "Replace old, which must stand in the file exactly and once, by new.",
    "shell": "Run a bash command in the workspace, for example the tests.",
    "web_search": "Search the web.",
    "fetch": "Read one web page.",
    "ask": "Ask the person something only they can decide; work stops until they answer.",
    "remember": "Remember something for the person; the same title replaces it.",
    "recall": "Look up what was remembered.",
    "my_sessions": "List the person's sessions with status and cost.",
    "session_details": "Show what one session was asked, answered, waits for and cost.",
}


def lean_description(name: str) -> str | None:
    """Return what a small model is told of a tool; None when nothing shorter is at hand."""
    return _DESCRIPTIONS.get(name)
