"""The tools Noctule brings, by family: what the configuration may name."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "files": (
        "list_files",
        "read_file",
        "search_files",
        "write_file",
        "edit_file",
        "apply_patch",
    ),
    "shell": ("shell", "python"),
    "web": ("web_search", "fetch"),
    "ask": ("ask",),
    "notes": ("remember", "recall", "forget"),
    "sessions": ("my_sessions", "session_details", "my_budgets"),
}
"""Every built-in tool by its family."""

OPEN_FAMILIES = ("mcp", "own")
"""Families whose tools depend on the configuration: MCP servers, and functions of your own."""

FAMILIES = (*BUILT_IN, *OPEN_FAMILIES)
"""Every family."""

MCP_PREFIX = "mcp:"
"""``mcp:NAME`` means all tools of one MCP server."""


DELEGATES = ("write_code", "write_text")
"""Tools that a role gets by itself when its primary cannot call tools but writes best."""


def known_names(servers: Iterable[str], known: Iterable[str] = ()) -> tuple[str, ...]:
    """Return everything that a configuration may name, families first.

    Args:
        servers: the configured MCP servers.
        known: tools besides the built-in ones.
    """
    tools = (tool for family in BUILT_IN.values() for tool in family)
    named = (f"{MCP_PREFIX}{server}" for server in servers)
    return tuple(dict.fromkeys((*FAMILIES, *tools, *DELEGATES, *known, *named)))


def unknown_tools(
    names: Iterable[str], *, servers: Iterable[str], known: Iterable[str] = ()
) -> list[str]:
    """Return a sentence for each name that means no tool, in their order.

    Args:
        names: as written in the configuration: tools, families, ``mcp:NAME``.
        servers: the configured MCP servers; ``NAME_TOOL`` of one counts as known, because only
            the server knows its tools.
        known: tools besides the built-in ones.
    """
    configured = tuple(servers)
    every = known_names(configured, known)
    return [
        _sentence(name, every)
        for name in names
        if name not in every and not name.startswith(tuple(f"{own}_" for own in configured))
    ]


def _sentence(name: str, every: tuple[str, ...]) -> str:
    close = get_close_matches(name, every, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"There is no tool {name!r}.{hint} Known are: {', '.join(every)}."
