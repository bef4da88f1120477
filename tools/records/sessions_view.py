"""A look at one's own sessions: what is worked on, what sleeps, what it has cost. Reads only."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from noctule.core.base.money import show_usd
from noctule.core.errors import NotFoundError
from noctule.core.llm.spending import total_usd
from noctule.core.ports.database import UnitOfWork
from noctule.core.reports.overview import Overview, first_to_wake, standing_turn, wakes_at
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import LOCAL_OWNER, Session, Turn
from noctule.core.tools.effects import EffectClass
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult

_MOST_TURNS = 8
_MOST_CHARS = 700
_HIDDEN = "(private)"


class MySessionsArguments(BaseModel):
    """Which sessions."""

    only: Status | None = Field(
        default=None, description="Only those with this status; leave out for all."
    )
    limit: int = Field(default=10, ge=1, le=50, description="How many, newest first.")


class SessionDetailsArguments(BaseModel):
    """Which session."""

    session: str = Field(
        min_length=1, max_length=64, description="Its id from my_sessions, or the beginning of it."
    )


class MySessionsTool(Tool[MySessionsArguments]):
    """Lists the person's sessions.

    Args:
        zone: where times are shown.
    """

    name: ClassVar[str] = "my_sessions"
    family: ClassVar[str] = "sessions"
    description: ClassVar[str] = (
        "List the person's sessions, newest first: id, status, title, when it wakes, what it has "
        'cost. Use it for "what are you working on?" and "is the report done?". '
        'Example: {"only": "parked"}'
    )
    arguments = MySessionsArguments
    effect = EffectClass.READ

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    async def run(self, arguments: MySessionsArguments, context: ToolContext) -> ToolResult:
        """List them."""
        async with context.database.read() as work:
            sessions = await work.sessions.list(owner=_owner(context))
            shown: list[Overview] = []
            for session in sessions:
                overview = await _overview(work, session)
                if arguments.only is None or overview.status is arguments.only:
                    shown.append(overview)
                if len(shown) == arguments.limit:
                    break
        if not shown:
            return ToolResult("There are none.")
        lines = [self._line(overview, context) for overview in shown]
        if len(sessions) > len(shown) and arguments.only is None:
            lines.append(f"{len(sessions) - len(shown)} older ones are not shown.")
        others = any(overview.session.owner != context.owner for overview in shown)
        return ToolResult("\n".join(lines), outside=others, private=True)

    def _line(self, overview: Overview, context: ToolContext) -> str:
        session = overview.session
        parts = [
            session.id,
            "empty" if overview.status is None else overview.status.value,
            f'"{_title(session, context)}"' if session.title else "untitled",
            f"begun {_moment(session.created_at, self._zone)}",
            f"{overview.turns} turns",
            f"cost {show_usd(overview.cost_usd)}",
        ]
        if overview.wake_at is not None:
            parts.append(f"wakes {_moment(overview.wake_at, self._zone)}")
        if session.id == context.session_id:
            parts.append("this session")
        if session.owner != context.owner:
            parts.append(f"of {session.owner}")
        return ", ".join(parts)


class SessionDetailsTool(Tool[SessionDetailsArguments]):
    """Shows one session.

    Args:
        zone: where times are shown.
    """

    name: ClassVar[str] = "session_details"
    family: ClassVar[str] = "sessions"
    description: ClassVar[str] = (
        "Look into one of the person's sessions: what was asked and answered last, what it waits "
        'for and until when, what it has cost. Example: {"session": "0199f3a2"}'
    )
    arguments = SessionDetailsArguments
    effect = EffectClass.READ

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def subject(self, arguments: SessionDetailsArguments) -> str | None:
        """Return the id."""
        return arguments.session

    async def run(self, arguments: SessionDetailsArguments, context: ToolContext) -> ToolResult:
        """Show it.

        Raises:
            ToolError: the person has no such session.
        """
        async with context.database.read() as work:
            session = await _find(work, arguments.session, context)
            overview = await _overview(work, session)
            turns = await work.turns.of_session(session.id)
            asleep = overview.turn
            parkings = [] if asleep is None else await work.parkings.open_of_turn(asleep.id)
        first = first_to_wake(parkings)
        status = "empty" if overview.status is None else overview.status.value
        lines = [
            f"{session.id} ({session.kind.value}): {_title(session, context)}",
            f"Status: {status}. Cost so far: {show_usd(overview.cost_usd)}.",
        ]
        if overview.wake_at is not None:
            lines.append(f"It goes on {_moment(overview.wake_at, self._zone)}.")
        if asleep is not None and asleep.error and not asleep.status.finished:
            lines.append(asleep.error)
        if first is not None and first.model is not None:
            lines.append(f"It waits for the model {first.model}.")
        if len(turns) > _MOST_TURNS:
            lines.append(f"{len(turns) - _MOST_TURNS} earlier turns are not shown.")
        for turn in turns[-_MOST_TURNS:]:
            lines += ["", *self._turn(turn, hidden=_is_hidden(session, turn, context))]
        others = session.owner != context.owner or session.outside_since is not None
        return ToolResult("\n".join(lines), outside=others, private=True)

    def _turn(self, turn: Turn, *, hidden: bool) -> list[str]:
        wake = wakes_at(turn)
        until = "" if wake is None else f" until {_moment(wake, self._zone)}"
        head = f"[{_moment(turn.created_at, self._zone)}, {turn.status.value}{until}]"
        if hidden:
            return [head, _HIDDEN]
        answer = turn.reply or turn.error
        lines = [head, f"Asked: {_short(turn.text)}"]
        return lines if answer is None else [*lines, f"Answered: {_short(answer)}"]


def session_tools(zone: tzinfo) -> Sequence[Tool[Any]]:
    """Return the tools that look at sessions.

    Args:
        zone: where times are shown.
    """
    return MySessionsTool(zone), SessionDetailsTool(zone)


async def _overview(work: UnitOfWork, session: Session) -> Overview:
    turns = await work.turns.of_session(session.id)
    attempts = await work.attempts.list(session_id=session.id)
    return Overview(session, standing_turn(turns), len(turns), total_usd(attempts))


async def _find(work: UnitOfWork, session_id: str, context: ToolContext) -> Session:
    """Return a session of the person; that of somebody else is as good as none."""
    try:
        found = await work.sessions.get(session_id)
    except NotFoundError:
        found = None
    owner = _owner(context)
    if found is None or owner not in {None, found.owner}:
        raise ToolError(f"The person has no session {session_id!r}. Use my_sessions for the ids.")
    return found


def _owner(context: ToolContext) -> str | None:
    """Return whose sessions may be seen; None means everybody's: the data folder's owner asks."""
    return None if context.owner == LOCAL_OWNER else context.owner


def _is_hidden(session: Session, turn: Turn, context: ToolContext) -> bool:
    """Whether words must not be shown because they would reach a model that is not local."""
    return (session.private or turn.private) and not context.private


def _title(session: Session, context: ToolContext) -> str:
    if session.private and not context.private:
        return _HIDDEN
    return session.title or "untitled"


def _moment(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}… ({len(text)} characters)"
