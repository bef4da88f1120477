"""Sessions: the list, one of them, its log, and what orders did."""

from typing import NotRequired

from typing_extensions import TypedDict

from noctule.cli.json_types.turns import QuestionDocument, RouteDocument, RunReportDocument


class SessionEntry(TypedDict):
    """One session of the list."""

    id: str
    status: str | None
    """Of its oldest unfinished turn, else of its latest; null when it has none."""
    title: str | None
    owner: str
    wake_at: str | None
    cost_usd: float | None
    """null when a cost is unknown."""
    kind: str
    """`chat` or `background`."""
    private: bool
    created_at: str
    turns: int
    questions: int
    """How many open questions it has."""


class ParkingDocument(TypedDict):
    """Why a session sleeps, and what was tried before."""

    reason: str | None
    evidence: str | None
    """Where the time is known from, like `header`; null when nothing told it."""
    tried: list[str]
    sentence: str | None
    """For people."""
    kind: NotRequired[str]
    model: NotRequired[str | None]
    parked_at: NotRequired[str]
    lap: NotRequired[int]
    """How often it slept in vain on this, this time included."""
    branches: NotRequired[int]
    """How many parts of its plan sleep."""


class SessionTurn(TypedDict):
    """One turn of a session."""

    id: str
    status: str
    text: str
    reply: str | None
    error: str | None
    """Why it failed or sleeps; null otherwise."""
    verdict: str | None
    """`good` or `bad`; null while it was not rated."""
    route: RouteDocument | None
    wake_at: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    report: RunReportDocument | None
    """null while it is unfinished."""


class SessionDocument(TypedDict):
    """A session with all its turns."""

    session: str
    status: str | None
    title: str | None
    owner: str
    wake_at: str | None
    cost_usd: float | None
    kind: str
    private: bool
    created_at: str
    parking: ParkingDocument | None
    """null when it does not sleep."""
    questions: list[QuestionDocument]
    """Those that are open."""
    workspace: str | None
    """The folder its tools work in; null when it has none of its own."""
    turns: list[SessionTurn]
    """Oldest first."""


class EventDocument(TypedDict):
    """One thing that happened in a session. Further keys depend on its kind."""

    seq: int
    """Counts from 1 without gaps."""
    at: str
    turn: str
    kind: str
    """`turn_queued`, `route`, `attempt_ended`, `parked`, `turn_ended`, and others."""


class OrderedTurn(TypedDict):
    """A turn that an order was for."""

    id: str
    status: str
    """After the order, or before it where its worker has not come to it yet."""


class OrdersDocument(TypedDict):
    """What an order for a session did."""

    session: str
    turns: list[OrderedTurn]
    """Empty when nothing was unfinished."""


class SteerDocument(TypedDict):
    """What was said to a turn that works."""

    turn: str
    steer: str
    """The id of the remark."""


class RenamedDocument(TypedDict):
    """A session with its new title."""

    session: str
    title: str | None


class DeletedDocument(TypedDict):
    """A session that is gone."""

    deleted: str
    """Its id."""


class GrantDocument(TypedDict):
    """One thing allowed beyond the configuration."""

    id: str
    owner: str
    session: str | None
    """null means every session of the owner."""
    rule: str
    covers: str
    """What it holds for, for people."""
    tool: str | None
    """The one tool it covers; null for a rule given by hand."""
    server: str | None
    """The MCP server of that tool; null for others."""
    workspace: str | None
    """The folder it holds in; null for sessions with a folder of their own."""
    files: list[str]
    """The files that were shown, relative to the workspace."""
    despite_outside: bool
    """Whether it also holds after the session has read text from outside."""
    granted_at: str


class RatedDocument(TypedDict):
    """A reply that was rated."""

    turn: str
    session: str
    verdict: str
    """`good` or `bad`."""
