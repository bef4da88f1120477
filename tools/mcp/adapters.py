"""Tools of MCP servers: taken from the configuration, filtered, prefixed, bounded."""

import asyncio
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from noctule.core.clock import Clock
from noctule.core.sessions.grants import Seal, digest_of
from noctule.core.settings import McpServerSettings, Permission
from noctule.core.tools.approval_text import only_seen
from noctule.core.tools.effects import EffectClass
from noctule.core.tools.outside_text import inline_data
from tools.base.json_arguments import JsonArguments, arguments_like
from tools.base.json_schemas import SchemaError, plain_schema
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult
from tools.mcp.server import McpServer

if TYPE_CHECKING:
    from mcp.types import CallToolResult
    from mcp.types import Tool as OfferedTool

_LONGEST_NAME = 64
"""The most characters every provider takes in a tool's name (OpenAI, Anthropic; 2026-11)."""
_MOST_DESCRIPTION_CHARS = 1500
_MOST_ERROR_CHARS = 4000
_MOST_NAME_CHARS = 80
_WORDS = frozenset({"title", "description"})
_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_ARGUMENT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""Names of arguments as every provider takes them (Anthropic is the strictest; 2026-11)."""

_LOG = logging.getLogger(__name__)


class McpTool(Tool[JsonArguments]):
    """One tool of a server; ``tool_of`` makes them.

    Args:
        server: whose it is.
        offered: as the server describes it.
        arguments: what it takes.
    """

    family: ClassVar[str] = "mcp"
    effect = EffectClass.OUTSIDE

    def __init__(
        self, server: McpServer, offered: "OfferedTool", arguments: type[JsonArguments]
    ) -> None:
        self.server = server.name
        self.arguments = arguments
        self.permission = server.settings.permission
        self._server = server
        self._original = offered.name
        self._seal = _seal(server, offered)

    def subject(self, arguments: JsonArguments) -> str | None:
        """Return the arguments as JSON: nobody else knows which of them names what is acted on."""
        return str(arguments)

    async def seal(self, arguments: JsonArguments, context: ToolContext) -> Seal:
        """Return how its server describes it, and how that server is reached."""
        return self._seal

    def needs_person(self, arguments: JsonArguments, context: ToolContext) -> str | None:
        """Say that the arguments may leave the machine when the session is private."""
        if not context.private:
            return None
        return (
            f"the session is private, and the MCP server {self.server!r} may pass on what it gets"
        )

    async def run(self, arguments: JsonArguments, context: ToolContext) -> ToolResult:
        """Call it.

        Raises:
            ToolError: it failed, or its server did.
        """
        answer = await self._server.call(self._original, arguments.given())
        text = _text(answer)
        if answer.isError:
            said = text[:_MOST_ERROR_CHARS] or "It failed and does not say why."
            raise ToolError(said, outside=True, private=True)
        return ToolResult(text or "Done; it returned nothing.", outside=True, private=True)


class NoArguments(BaseModel):
    """It takes none."""


class McpAbsent(Tool[NoArguments]):
    """Stands for the tools of a server that was never reached, so that an agent knows of them.

    Args:
        server: the one that is not there.
    """

    family: ClassVar[str] = "mcp"
    arguments = NoArguments
    effect = EffectClass.READ
    permission = Permission.ALLOW

    def __init__(self, server: McpServer) -> None:
        self.server = server.name
        self._server = server

    async def run(self, arguments: NoArguments, context: ToolContext) -> ToolResult:
        """Try again.

        Raises:
            ToolError: it is still not there; why, and when it is tried again.
        """
        await self._server.connect()
        return ToolResult(f"{self.server} is there. You have its tools from your next step on.")


class McpHub:
    """The servers of ``tools.mcp``.

    Args:
        servers: their settings by name.
        clock: the time.
        vet: says why a server may not be started now, by its name; None lets each start.
    """

    def __init__(
        self,
        servers: Mapping[str, McpServerSettings],
        clock: Clock,
        vet: Callable[[str], str | None] | None = None,
    ) -> None:
        self._servers = {name: McpServer(name, own, clock, vet) for name, own in servers.items()}
        self._made: dict[str, tuple[tuple[OfferedTool, ...], list[McpTool], list[str]]] = {}
        self._absent = {name: _absent(server) for name, server in self._servers.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The servers' names."""
        return tuple(self._servers)

    def begin(self) -> None:
        """Begin to connect to all of them, in the background."""
        for server in self._servers.values():
            server.begin()

    async def close(self) -> None:
        """Let go of all of them."""
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    async def ready(self, names: Sequence[str], *, patience_s: float | None = None) -> None:
        """Wait until some servers are connected or have failed, the first time.

        Args:
            names: those that are wanted.
            patience_s: the longest to wait; None waits for their timeouts.
        """
        servers = [self._servers[name] for name in names]
        await asyncio.gather(*(server.ready(patience_s=patience_s) for server in servers))

    def tools(self) -> Iterator[McpTool | McpAbsent]:
        """Yield what the servers offered when they were last reached, as far as it is wanted.

        For one that was never reached there is ``NAME_unavailable``.
        """
        for name, server in self._servers.items():
            if server.problem is not None and not server.offered:
                yield self._absent[name]
                continue
            yield from self._read(server)[0]

    def problems(self, names: Sequence[str]) -> list[str]:
        """Return what is wrong with some servers, a sentence each."""
        found = []
        for name in names:
            server = self._servers[name]
            if server.problem is not None:
                found.append(server.problem)
            elif server.offered or server.unreadable:
                found += [*_unused(server), *self._read(server)[1]]
        return found

    def _read(self, server: McpServer) -> tuple[list[McpTool], list[str]]:
        """Return the tools a server offers, and what is said of those that are left out."""
        made = self._made.get(server.name)
        if made is None or made[0] is not server.offered:
            made = (server.offered, *_tools_of(server, self.names))
            self._made[server.name] = made
            for problem in made[2]:
                _LOG.warning("%s", problem)
        return made[1], made[2]


def _tools_of(server: McpServer, servers: Sequence[str]) -> tuple[list[McpTool], list[str]]:
    """Return the tools a server offers as far as they are wanted, and why others are left out."""
    wanted = server.settings.tools
    tools: dict[str, McpTool] = {}
    problems = [_left_out(server, name, why) for name, why in server.unreadable]
    for offered in server.offered:
        if wanted is not None and not any(fnmatchcase(offered.name, one) for one in wanted):
            continue
        name = tool_name(server.name, offered.name)
        try:
            _check_name(name, server, servers, tools)
            tools[name] = tool_of(server, offered)
        except SchemaError as error:
            problems.append(_left_out(server, offered.name, str(error)))
        except Exception as error:  # noqa: BLE001 - whatever it is made of, others must go on
            problems.append(_left_out(server, offered.name, f"reading it: {type(error).__name__}"))
    return list(tools.values()), problems


def _check_name(
    name: str, server: McpServer, servers: Sequence[str], tools: Mapping[str, McpTool]
) -> None:
    """Refuse a name by which rules, grants or a model would mean another tool.

    Raises:
        SchemaError: it is one.
    """
    if name in tools:
        raise SchemaError(f"another of its tools is called {name!r} here, too")
    for other in servers:
        longer = other != server.name and len(other) >= len(server.name)
        if longer and name.startswith(tool_name(other, "")):
            raise SchemaError(f"{name!r} is how tools of the server {other!r} are called")


def _left_out(server: McpServer, tool: str, why: str) -> str:
    shown = ascii(tool[:_MOST_NAME_CHARS])
    return f"The tool {shown} of the MCP server {server.name!r} is left out: {why}."


def tool_of(server: McpServer, offered: "OfferedTool") -> McpTool:
    """Return a tool that a server offers.

    Raises:
        SchemaError: its arguments cannot be told to a model.
    """
    schema = _as_seen(plain_schema(offered.inputSchema))
    odd = next((name for name in schema["properties"] if not _ARGUMENT.fullmatch(name)), None)
    if odd is not None:
        raise SchemaError(f"its argument {odd[:40]!a} has a name that providers refuse")
    about = " ".join(only_seen(offered.description or offered.title or "").split())
    described = about[:_MOST_DESCRIPTION_CHARS]
    said = inline_data(described) if described else "it does not say what it does"
    kind = type(
        "McpTool",
        (McpTool,),
        {
            "name": tool_name(server.name, offered.name),
            "description": f"From the MCP server {server.name}, which says: {said}",
        },
    )
    made: McpTool = kind(server, offered, arguments_like(schema))
    return made


def _as_seen(schema: Any) -> Any:
    """Return a schema whose words hold nothing that no person would see."""
    if isinstance(schema, list):
        return [_as_seen(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: only_seen(one) if name in _WORDS and isinstance(one, str) else _as_seen(one)
        for name, one in schema.items()
    }


def _seal(server: McpServer, offered: "OfferedTool") -> Seal:
    described = {
        "its name": offered.name,
        "its title": offered.title,
        "its description": offered.description,
        "its arguments": offered.inputSchema,
        "how its server is started or reached": [*server.settings.command, server.settings.url],
    }
    return {part: digest_of(json.dumps(value, sort_keys=True)) for part, value in described.items()}


def _absent(server: McpServer) -> McpAbsent:
    kind = type(
        "McpAbsent",
        (McpAbsent,),
        {
            "name": tool_name(server.name, "unavailable"),
            "description": (
                f"The MCP server {server.name} cannot be used now, so its tools are missing. If "
                "you need them, call this once: it tries again and says what is wrong. Else go "
                "on without, and tell the person if it matters."
            ),
        },
    )
    made: McpAbsent = kind(server)
    return made


def tool_name(server: str, tool: str) -> str:
    """Return what a server's tool is called here: only what every provider takes in a name."""
    name = _ODD.sub("_", f"{server}_{tool}")
    if len(name) <= _LONGEST_NAME:
        return name
    digest = sha256(tool.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}_{digest}"


def _unused(server: McpServer) -> Iterator[str]:
    """Yield what of a server's settings and tools comes to nothing."""
    names = [offered.name for offered in server.offered]
    for pattern in server.settings.tools or ():
        if not any(fnmatchcase(name, pattern) for name in names):
            yield (
                f"tools.mcp.{server.name}.tools: {pattern!r} fits none of its tools; it offers "
                f"{', '.join(names[:30])}."
            )


def _text(answer: "CallToolResult") -> str:
    """Return an answer as text: what is none is named."""
    parts = [_part(content) for content in answer.content]
    if not any(parts) and answer.structuredContent is not None:
        return json.dumps(answer.structuredContent, ensure_ascii=False)
    return "\n\n".join(part for part in parts if part)


def _part(content: Any) -> str:
    if content.type == "text":
        return str(content.text)
    if content.type in {"image", "audio"}:
        return f"[{content.type} of {content.mimeType}, not shown]"
    if content.type == "resource_link":
        return f"[{content.name}: {content.uri}]"
    resource = content.resource
    text = getattr(resource, "text", None)
    return str(text) if text is not None else f"[{resource.uri}, not text, not shown]"
