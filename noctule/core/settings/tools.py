"""``tools:`` what agents may do, where, and how much of it."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from noctule.core.settings.base import PositiveDuration, Section


class Permission(StrEnum):
    """Whether a tool call may happen."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class SandboxChoice(StrEnum):
    """What shell and python run in."""

    AUTO = "auto"
    """bubblewrap where it works; else they run only with a person's approval."""
    NONE = "none"
    """Nothing: each command asks."""


class SearchEngine(StrEnum):
    """Who searches the web."""

    DDGS = "ddgs"
    SEARXNG = "searxng"


class SearchSettings(Section):
    """How the web is searched."""

    engine: SearchEngine = SearchEngine.DDGS
    """``ddgs`` asks public engines without a key; ``searxng`` asks your own instance."""

    url: str | None = None
    """The address of a SearXNG instance that answers with JSON; ``searxng`` needs it. Unset means
    none."""


class McpServerSettings(Section):
    """One MCP server whose tools agents may use: a command, or a URL."""

    command: tuple[str, ...] = ()
    """The program and its arguments, for a server over standard input and output."""

    env: dict[str, SecretStr] = Field(default_factory=dict)
    """Environment variables it gets; nothing of Noctule's own environment but PATH and HOME."""

    arguments_may_show_secrets: bool = False
    """``true``: secrets may stand in ``command``, where every user of the machine sees them in the
    list of processes. Else such a server is not started: give it secrets by ``env``."""

    url: str | None = None
    """Its address, for a server over streamable HTTP. Unset means it has a command."""

    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """HTTP headers it gets, as ``Authorization: "Bearer ${TOKEN}"``."""

    tools: tuple[str, ...] | None = None
    """The tools taken from it, by its own names; ``*`` fits any characters. Unset means all."""

    permission: Permission = Permission.ASK
    """What its tools may do unless ``tools.permissions`` says otherwise."""

    timeout: PositiveDuration = timedelta(seconds=60)
    """How long connecting, and how long one call, may take."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("an MCP server has either a command or a url")
        return self


class ToolsSettings(Section):
    """What agents may do, where, and how much of it."""

    permissions: dict[str, Permission] = Field(default_factory=dict)
    """What may happen, by tool or family, with a pattern of what it acts on if you like:
    ``shell: ask``, ``"shell:git push*": deny``, ``"write_file:*.env": deny``. The longest key that
    fits decides; of equally long ones the strictest."""

    folder: Path | None = None
    """A folder with Python files of your own whose ``@tool`` functions agents may use. Unset means
    none."""

    sandbox: SandboxChoice = SandboxChoice.AUTO
    """``auto``: shell and python run under bubblewrap, and ask where that does not work.
    ``none``: they always ask."""

    ask_after_outside: bool = True
    """``true``: once a session has read text from outside, effects outside ask even when they are
    allowed, because that text may be steering the agent."""

    command_timeout: PositiveDuration = timedelta(minutes=5)
    """How long one command may run unless it asks for less."""

    command_memory_mb: int = Field(default=2048, ge=64)
    """The memory of one command, in MiB per process."""

    workspace_mb: int = Field(default=2048, ge=1)
    """How large a file a command may write, and how much a workspace may hold, in MiB."""

    output_bytes: int = Field(default=8192, ge=256)
    """How much of a tool's output an agent is shown; longer output is kept in a file of the
    workspace, and its head and tail are shown."""

    fetch_bytes: int = Field(default=5_000_000, ge=1024)
    """The largest page that is read from the web, in bytes, unpacked."""

    fetch_timeout: PositiveDuration = timedelta(seconds=30)
    """How long reading a page may take in all."""

    fetch_ports: tuple[int, ...] = (80, 443)
    """The ports pages are read from. Private and local addresses are never read from."""

    search: SearchSettings = Field(default_factory=SearchSettings)
    """How the web is searched."""

    mcp: dict[str, McpServerSettings] = Field(default_factory=dict)
    """MCP servers by a name of your choice; their tools are called ``NAME_TOOL``."""
