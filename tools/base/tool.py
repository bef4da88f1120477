"""Tool: one thing an agent can do, and all that is known of it before it is done.

A tool does its work and nothing else: whether it may (``graphs.tools.permission``), whether it
already did (``graphs.tools.tool_journal``), how much of its output an agent sees and which secrets
are masked in it is decided around it, for all tools alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from noctule.core.base.roles import Role
from noctule.core.clock import Clock
from noctule.core.llm.calls import EventSink
from noctule.core.ports.database import Database
from noctule.core.sessions.grants import Seal
from noctule.core.settings import Permission
from noctule.core.tools.effects import EffectClass
from tools.base.workspace import Workspace

ArgumentsT = TypeVar("ArgumentsT", bound=BaseModel)


class ToolError(Exception):
    """A call came to nothing; ``str()`` of it tells the agent what happened and what to do.

    Args:
        text: the sentences.
        outside: True when they hold words that somebody else wrote: they are marked as data.
        private: True when they may hold what is the person's alone.
    """

    def __init__(self, text: str, *, outside: bool = False, private: bool = False) -> None:
        super().__init__(text)
        self.outside = outside
        self.private = private


@dataclass(frozen=True, slots=True)
class ToolContext:
    """The circumstances of one call.

    Args:
        session_id: whose.
        turn_id: during which turn.
        owner: whose session it is.
        call_id: unique within the session.
        role: who calls.
        workspace: where its files are.
        database: for tools that look at sessions, budgets and notes.
        clock: the time.
        sink: who is told of progress.
        private: True when nothing of the session may leave the owner's machines.
        approved: True when a person allowed this very call, or everything like it. A command
            without a sandbox runs only then.
        may_follow: says whether an address may be read that a page redirects to; None: any may.
    """

    session_id: str
    turn_id: str
    owner: str
    call_id: str
    role: Role
    workspace: Workspace
    database: Database
    clock: Clock
    sink: EventSink
    private: bool = False
    approved: bool = False
    may_follow: Callable[[str], Awaitable[bool]] | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call.

    Args:
        text: what the agent is told; may be long.
        outside: True when it holds text that somebody else wrote: it is marked as data.
        private: True when it may hold what is the person's alone: from then on it is asked about
            where the session sends what it makes up.
        notice: what Noctule itself says before the text; "" for nothing.
        files: files it made or changed, relative to the workspace, for people.
    """

    text: str
    outside: bool = False
    private: bool = False
    files: tuple[str, ...] = ()
    notice: str = ""


class Tool(ABC, Generic[ArgumentsT]):
    """One thing an agent can do.

    A subclass sets the class variables, and its docstring's text after the first line is not
    shown to the model; ``description`` is.
    """

    name: ClassVar[str]
    """What the model calls it."""

    family: ClassVar[str]
    """Which tools it is allowed, asked for or denied together with: ``files``, ``shell``,
    ``web``, ``ask``, ``notes``, ``sessions``, ``mcp``, ``own``."""

    description: ClassVar[str]
    """What the model reads: what it does, when to use it, what comes back."""

    arguments: type[ArgumentsT]
    """What it takes; the model is given its JSON schema."""

    effect: EffectClass

    asks_person: ClassVar[bool] = False
    """True for the one tool that waits for an answer of the person."""

    permission: Permission | None = None
    """What it may do where no rule names it or its family, as an MCP server's setting says; None
    leaves that to its family and effect."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its arguments, as a model is given it."""
        return self.arguments.model_json_schema()

    def subject(self, arguments: ArgumentsT) -> str | None:
        """Return what the call acts on (path, command, URL), for patterns and for people.

        None: it acts on nothing one could name.
        """
        del arguments
        return None

    def subject_in(self, arguments: ArgumentsT, context: ToolContext) -> str | None:
        """Return what the call acts on where it is made; what has several names, by its own one.

        This is what rules are held against and people are shown. Several things stand on a line
        each, and so does a thing that is called by another name than its own.
        """
        del context
        return self.subject(arguments)

    async def seal(self, arguments: ArgumentsT, context: ToolContext) -> Seal:
        """Return the parts of what a person is shown that an answer for longer is bound to.

        When one of them has changed, the answer counts no more. Nothing: the tool's name is all.
        """
        del arguments, context
        return {}

    def effect_of(self, arguments: ArgumentsT, context: ToolContext) -> EffectClass:
        """Return what this call can change; a tool whose calls differ overrides it."""
        del arguments, context
        return self.effect

    def needs_person(self, arguments: ArgumentsT, context: ToolContext) -> str | None:
        """Return why this call must be asked about although rules allow it; None: need not be.

        For shell and python where no sandbox works.
        """
        del arguments, context
        return None

    def replaces(self, arguments: ArgumentsT) -> str | None:
        """Return the file that the call would replace whatever it holds; None: it does no such."""
        del arguments
        return None

    def replacement(self, arguments: ArgumentsT) -> bytes:
        """Return what the file of ``replaces`` would hold after the call."""
        del arguments
        return b""

    async def before(self, arguments: ArgumentsT, context: ToolContext) -> Mapping[str, Any]:
        """Return what ``happened`` needs to know of the time before the call; JSON values."""
        del arguments, context
        return {}

    async def happened(
        self, arguments: ArgumentsT, context: ToolContext, before: Mapping[str, Any]
    ) -> ToolResult | bool | None:
        """Return whether a call that was cut off by a crash happened.

        Args:
            arguments: of the call.
            context: of the call.
            before: what ``before`` returned then.

        Returns:
            Its result when it happened; False when it did not, so that it can be done; None when
            nobody can tell and the person is asked. (True is never returned.)
        """
        del arguments, context, before
        return None

    @abstractmethod
    async def run(self, arguments: ArgumentsT, context: ToolContext) -> ToolResult:
        """Do it.

        Raises:
            ToolError: it came to nothing; the agent is told why.
        """
