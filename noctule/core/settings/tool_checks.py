"""What must hold for tools: names that mean something, servers that can be reached at all."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from urllib.parse import urlsplit

from noctule.core.base.tool_names import FAMILIES, MCP_PREFIX, known_names
from noctule.core.settings.parts import Parts
from noctule.core.settings.tools import SearchEngine, ToolsSettings

Found = tuple[tuple[str, ...], str, str]
"""Path, what is wrong, what to write instead."""

_SERVER_NAME = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_-]{0,31}")
_LARGEST_PORT = 65535


def tool_findings(parts: Parts) -> Iterator[Found]:
    """Yield everything wrong with tools."""
    tools = parts.tools
    yield from _servers(tools)
    yield from _web(tools)
    yield from _rules(("tools", "permissions"), tools.permissions, tools)
    for role, binding in parts.roles.items():
        yield from _names(("roles", role, "tools"), binding.tools or (), tools)
        yield from _rules(("roles", role, "permissions"), binding.permissions, tools)


def _servers(tools: ToolsSettings) -> Iterator[Found]:
    for name, server in tools.mcp.items():
        path = ("tools", "mcp", name)
        if not _SERVER_NAME.fullmatch(name):
            yield (
                path,
                f"{name!r} begins the names of its tools, and no provider takes it there.",
                "use letters, digits, - and _, 32 at most.",
            )
        if name in FAMILIES:
            yield path, f"{name!r} is a family of tools already.", "choose another name."
        if server.url is not None:
            yield from _address((*path, "url"), server.url)
            if urlsplit(server.url).password:
                yield (
                    (*path, "url"),
                    "the address holds a password, and addresses are shown.",
                    'leave it out and write headers: {Authorization: "Bearer ${VARIABLE}"}.',
                )


def _web(tools: ToolsSettings) -> Iterator[Found]:
    search = tools.search
    if search.engine is SearchEngine.SEARXNG and search.url is None:
        yield (
            ("tools", "search", "url"),
            "searxng needs the address of an instance.",
            "write url: http://127.0.0.1:8080, or engine: ddgs.",
        )
    elif search.url is not None and search.engine is not SearchEngine.SEARXNG:
        yield (
            ("tools", "search", "url"),
            f"{search.engine.value} has no address.",
            "remove it, or write engine: searxng.",
        )
    elif search.url is not None:
        yield from _address(("tools", "search", "url"), search.url)
    for port in tools.fetch_ports:
        if not 0 < port <= _LARGEST_PORT:
            yield ("tools", "fetch_ports"), f"{port} is no port.", "write numbers from 1 to 65535."


def _address(path: tuple[str, ...], url: str) -> Iterator[Found]:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        sound = False
    if not sound:
        yield path, f"{url!r} is no http address.", "start it with http:// or https://."


def _names(path: tuple[str, ...], names: Iterable[str], tools: ToolsSettings) -> Iterator[Found]:
    known = known_names(tools.mcp)
    for name in names:
        if not _means_something(name, known, tools):
            yield path, f"there is no tool {name!r}.", _choose(name, known)


def _rules(path: tuple[str, ...], rules: Iterable[str], tools: ToolsSettings) -> Iterator[Found]:
    """Find rules that fit nothing: a misspelt ``deny`` would allow."""
    known = known_names(tools.mcp)
    for rule in rules:
        head, _, rest = rule.partition(":")
        if head == "mcp" and rest:
            head = MCP_PREFIX + rest.split(":", 1)[0]
        if not _means_something(head, known, tools):
            yield (*path, rule), f"there is no tool {head!r}.", _choose(head, known)


def _means_something(name: str, known: Iterable[str], tools: ToolsSettings) -> bool:
    """Whether a name may mean a tool; what own files and servers bring is not known here."""
    mine = tools.folder is not None and ":" not in name
    return name in known or mine or name.startswith(tuple(f"{own}_" for own in tools.mcp))


def _choose(wrong: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(wrong, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}There are: {', '.join(names)}."
