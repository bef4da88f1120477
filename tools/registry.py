"""Every tool there is, and which of them a role has."""

from collections.abc import Iterator, Sequence
from typing import Any, Self

from noctule.core.clock import Clock
from noctule.core.roles import Role
from noctule.core.settings import Settings
from noctule.core.tool_names import MCP_PREFIX, unknown_tools
from tools.tool import Tool

AnyTool = Tool[Any]


class Toolbox:
    """The tools of a configuration.

    What a role has follows from ``roles.ROLE.tools``, else from the agent's usual set. Use it as
    ``async with``, or call ``open`` and ``close``; it may be used unopened when there are no MCP
    servers.

    Args:
        settings: the configuration.
        clock: the time.
        tools: these instead of the configured ones; None means those of the configuration.
    """

    def __init__(
        self, settings: Settings, *, clock: Clock, tools: Sequence[AnyTool] | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._problems: list[str] = []
        self._tools: dict[str, AnyTool] = {}
        for tool in _built_in() if tools is None else tools:
            self._add(tool)

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
        return tuple(self._problems)

    @property
    def tools(self) -> tuple[AnyTool, ...]:
        """Every tool that is known now."""
        return tuple(self._tools.values())

    async def open(self) -> None:
        """Begin to connect to MCP servers; does not wait for them and never fails."""

    async def close(self) -> None:
        """Let go of MCP servers."""

    async def prepare(self, role: Role, usual: Sequence[str]) -> None:
        """Wait until the MCP servers of a role are there or have failed.

        Takes at most the longest timeout of them; returns at once when there are none. Call it
        before ``for_role``, at the start of a turn.

        Args:
            role: whose.
            usual: its agent's usual tools.
        """

    def for_role(self, role: Role, usual: Sequence[str]) -> tuple[AnyTool, ...]:
        """Return the tools of a role, each once, always in the same order.

        Names that mean nothing are left out; ``missing`` says them.

        Args:
            role: whose.
            usual: its agent's usual tools: names, families or ``mcp:NAME``; used when
                ``roles.ROLE.tools`` is not set.
        """
        wanted = self._wanted(role, usual)
        return tuple(tool for tool in self._tools.values() if _fits(tool, wanted))

    def missing(self, role: Role, usual: Sequence[str]) -> tuple[str, ...]:
        """Return what a role should have and has not, a sentence each, for the agent and the log.

        Args:
            role: whose.
            usual: its agent's usual tools.
        """
        servers = self._settings.tools.mcp
        return tuple(unknown_tools(self._wanted(role, usual), servers=servers, known=self._tools))

    def find(self, name: str) -> AnyTool | None:
        """Return a tool by its name; None when there is none now."""
        return self._tools.get(name)

    def _wanted(self, role: Role, usual: Sequence[str]) -> tuple[str, ...]:
        configured = self._settings.roles[role].tools
        return tuple(usual) if configured is None else configured

    def _add(self, tool: AnyTool) -> None:
        if tool.name in self._tools:
            other = self._tools[tool.name]
            self._problems.append(
                f"Two tools are called {tool.name!r}: the one of {other.family!r} is used, the one "
                f"of {tool.family!r} is not. Rename it."
            )
            return
        self._tools[tool.name] = tool


def _fits(tool: AnyTool, wanted: Sequence[str]) -> bool:
    server = getattr(tool, "server", None)
    return (
        tool.name in wanted
        or tool.family in wanted
        or (server is not None and f"{MCP_PREFIX}{server}" in wanted)
    )


def _built_in() -> Iterator[AnyTool]:
    from tools.ask import AskTool  # noqa: PLC0415 - a role without tools loads none

    yield AskTool()
