"""Every tool there is, and which of them a role has."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Self

from noctule.core.base.roles import Role
from noctule.core.base.tool_names import BUILT_IN, MCP_PREFIX, OPEN_FAMILIES, unknown_tools
from noctule.core.clock import Clock
from noctule.core.settings import Settings
from tools.base.tool import Tool
from tools.mcp.adapters import McpHub

AnyTool = Tool[Any]

_LOG = logging.getLogger(__name__)

_CHAT_PATIENCE_S = 3.0
"""How long a greeting waits for MCP servers that have not answered yet."""


class Toolbox:
    """The tools of a configuration.

    What a role has follows from ``roles.ROLE.tools``, else from the agent's usual set with
    everything added that MCP servers and the folder of own tools bring. Use it as ``async with``,
    or call ``open`` and ``close``; it may be used unopened when there are no MCP servers.

    Args:
        settings: the configuration.
        clock: the time.
        tools: these instead of the configured ones; None means those of the configuration.
        zone: where times are shown.
        hidden: folders that programs never see, above all the data folder.
        vet: says why an MCP server may not be started now; None lets each start.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        tools: Sequence[AnyTool] | None = None,
        zone: tzinfo = UTC,
        hidden: Sequence[Path] = (),
        vet: Callable[[str], str | None] | None = None,
    ) -> None:
        self._settings = settings
        self._problems: list[str] = []
        self._own: dict[str, AnyTool] = {}
        self._hub = McpHub({} if tools is not None else settings.tools.mcp, clock, vet)
        built = _built_in(settings, zone, hidden, self._problems) if tools is None else tools
        for tool in built:
            _add(self._own, tool, self._problems)

    def use(self, settings: Settings) -> None:
        """Take over which role has which tools, and budgets; the tools themselves stay as they are.

        Args:
            settings: a configuration with the same ``tools`` section.
        """
        from tools.records.budgets_view import MyBudgetsTool  # noqa: PLC0415 - where it is built

        self._settings = settings
        shown = self._own.get(MyBudgetsTool.name)
        if isinstance(shown, MyBudgetsTool):
            shown.use(settings)

    async def __aenter__(self) -> Self:
        """Open it."""
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close it."""
        await self.close()

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the tools of the configuration, a sentence each."""
        problems = list(self._problems)
        self._all(problems)
        return (*problems, *self._hub.problems(self._hub.names))

    @property
    def tools(self) -> tuple[AnyTool, ...]:
        """Every tool that is known now."""
        return tuple(self._all().values())

    async def open(self) -> None:
        """Begin to connect to MCP servers; does not wait for them and never fails."""
        for problem in self._problems:
            _LOG.warning("%s", problem)
        self._hub.begin()

    async def close(self) -> None:
        """Let go of MCP servers; takes seconds when one does not want to go."""
        await self._hub.close()

    async def prepare(self, role: Role, usual: Sequence[str]) -> None:
        """Wait until the MCP servers of a role are there or have failed.

        Only the first time: at most the longest of their timeouts, for chat three seconds. Later
        it returns at once; servers that are gone are tried again in the background.

        Args:
            role: whose.
            usual: its agent's usual tools.
        """
        servers = self._servers(self._wanted(role, usual))
        if servers:
            patience_s = _CHAT_PATIENCE_S if role is Role.CHAT else None
            await self._hub.ready(servers, patience_s=patience_s)

    def for_role(self, role: Role, usual: Sequence[str]) -> tuple[AnyTool, ...]:
        """Return the tools of a role, each once, always in the same order.

        Names that mean nothing are left out; ``missing`` says them.

        Args:
            role: whose.
            usual: its agent's usual tools: names, families or ``mcp:NAME``; used when
                ``roles.ROLE.tools`` is not set.
        """
        wanted = self._wanted(role, usual)
        return tuple(tool for tool in self._all().values() if _fits(tool, wanted))

    def missing(self, role: Role, usual: Sequence[str]) -> tuple[str, ...]:
        """Return what a role should have and has not, a sentence each, for the agent and people.

        Args:
            role: whose.
            usual: its agent's usual tools.
        """
        wanted = self._wanted(role, usual)
        unknown = unknown_tools(wanted, servers=self._settings.tools.mcp, known=self._all())
        return (*unknown, *self._hub.problems(self._servers(wanted)))

    def servers_of(self, role: Role, usual: Sequence[str]) -> tuple[str, ...]:
        """Return the MCP servers that may bring tools of a role, reached or not.

        Args:
            role: whose.
            usual: its agent's usual tools.
        """
        return tuple(self._servers(self._wanted(role, usual)))

    def takes_own(self, role: Role, usual: Sequence[str]) -> bool:
        """Return whether a role has the functions of ``tools.folder``, as a family.

        Args:
            role: whose.
            usual: its agent's usual tools.
        """
        return "own" in self._wanted(role, usual)

    def find(self, name: str) -> AnyTool | None:
        """Return a tool by its name; None when there is none now."""
        return self._all().get(name)

    def _wanted(self, role: Role, usual: Sequence[str]) -> tuple[str, ...]:
        configured = self._settings.roles[role].tools
        if configured is not None:
            return configured
        return (*usual, *OPEN_FAMILIES) if usual else ()

    def _servers(self, wanted: Sequence[str]) -> list[str]:
        """Return the MCP servers that may bring one of these."""
        return [
            name
            for name in self._hub.names
            if any(
                one in {"mcp", f"{MCP_PREFIX}{name}"} or one.startswith(f"{name}_")
                for one in wanted
            )
        ]

    def _all(self, problems: list[str] | None = None) -> dict[str, AnyTool]:
        """Return every tool by its name, in the order of families and of the configuration."""
        found = dict(self._own)
        for tool in self._hub.tools():
            _add(found, tool, [] if problems is None else problems)
        return found


def _add(tools: dict[str, AnyTool], tool: AnyTool, problems: list[str]) -> None:
    other = tools.setdefault(tool.name, tool)
    if other is not tool:
        problems.append(
            f"Two tools are called {tool.name!r}: the one of the family {other.family!r} is used, "
            f"the one of the family {tool.family!r} is not. Rename it."
        )


def _fits(tool: AnyTool, wanted: Sequence[str]) -> bool:
    server = getattr(tool, "server", None)
    return (
        tool.name in wanted
        # ``shell`` is a tool and its family: a name that is both means the tool alone.
        or (tool.family in wanted and tool.family not in BUILT_IN.get(tool.family, ()))
        or (server is not None and f"{MCP_PREFIX}{server}" in wanted)
    )


def _built_in(
    settings: Settings, zone: tzinfo, hidden: Sequence[Path], problems: list[str]
) -> Iterator[AnyTool]:
    # What a tool works with is loaded with it, and a process without agents loads none.
    from tools.ask import AskTool  # noqa: PLC0415 - see above
    from tools.custom import own_tools  # noqa: PLC0415 - see above
    from tools.files.files import file_tools  # noqa: PLC0415 - see above
    from tools.records.budgets_view import MyBudgetsTool  # noqa: PLC0415 - see above
    from tools.records.notes import note_tools  # noqa: PLC0415 - see above
    from tools.records.sessions_view import session_tools  # noqa: PLC0415 - see above
    from tools.sandbox.sandbox import Sandbox  # noqa: PLC0415 - see above
    from tools.shell.commands import command_tools  # noqa: PLC0415 - see above
    from tools.web.fetch import web_fetch  # noqa: PLC0415 - see above
    from tools.web.search import web_search  # noqa: PLC0415 - see above

    sandbox = Sandbox(settings.tools, hidden)
    yield from file_tools(settings.tools, sandbox)
    yield from command_tools(settings.tools, sandbox)
    yield web_search(settings.tools.search)
    yield web_fetch(settings.tools)
    yield AskTool()
    yield from note_tools()
    yield from session_tools(zone)
    yield MyBudgetsTool(settings, zone)
    yield from own_tools(settings.tools, problems)
