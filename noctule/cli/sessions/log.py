"""The steps of a session as they happened, from its event stream."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from noctule.channels.terminal.screens.printable import shown
from noctule.channels.terminal.screens.tool_lines import ending, tool_line
from noctule.cli.frame.moments import iso
from noctule.cli.frame.tell import tell
from noctule.cli.json_types.sessions import EventDocument
from noctule.cli.sessions.orders import worker_of
from noctule.core.base.money import show_usd
from noctule.core.base.short_ids import short_id
from noctule.core.llm.events import Event, EventKind
from noctule.core.reports.overview import is_resting
from noctule.core.sessions.questions import QuestionKind, as_asked, as_offered
from noctule.core.times.durations import show_duration

if TYPE_CHECKING:
    from noctule.bootstrap import Records

_RESTS = frozenset({EventKind.PARKED, EventKind.TURN_ENDED})
_PAGE = 500
_SHORT_TEXT = 72
_WAITS_FOR_AN_ANSWER = "Waits for an answer"  # as core.sleep says it; the question stands above it


async def steps(records: "Records", session_id: str, *, follow: bool) -> AsyncIterator[Event]:
    """Yield what happened in a session, in order, without the pieces of replies.

    Args:
        records: where it is kept.
        session_id: which; a unique beginning is enough.
        follow: whether to go on until the session rests.

    Raises:
        NotFoundError: there is no such session.
    """
    async with records.database.read() as work:
        session = await work.sessions.get(session_id)
    seen, events = 0, await _page(records, session.id, 0)
    while events:
        for event in events:
            seen = event.seq
            if event.kind is not EventKind.DELTA:
                yield event
        events = await _page(records, session.id, seen)
    if not follow or await _rests(records, session.id, seen):
        return
    if worker_of(records) is None:
        tell("No worker is running. Resume it with `noctule serve`.")
    async with aclosing(records.events.follow(session.id, seen)) as stream:
        async for event in stream:
            if event.kind is not EventKind.DELTA:
                yield event
            if event.kind in _RESTS and await _rests(records, session.id, event.seq):
                return


async def _page(records: "Records", session_id: str, seen: int) -> list[Event]:
    async with records.database.read() as work:
        return await work.events.after(session_id, seen, limit=_PAGE)


async def _rests(records: "Records", session_id: str, seen: int) -> bool:
    """Whether nothing more happens to a session now, and all of it has been seen."""
    async with records.database.read() as work:
        turn = await work.turns.oldest_unfinished(session_id)
        last = await work.events.last_seq(session_id)
    return last <= seen and is_resting(turn, records.clock.now())


def event_document(event: Event, zone: tzinfo) -> EventDocument:
    """Return an event as ``sessions log --json`` prints it."""
    head = {"seq": event.seq, "at": iso(event.at, zone), "turn": event.turn_id}
    return cast("EventDocument", {**event.data, **head, "kind": event.kind.value})


def log_lines(event: Event, zone: tzinfo) -> Iterator[str]:
    """Yield an event as lines for people; kinds without news yield nothing."""
    say = _SAYINGS.get(event.kind)
    if say is None:
        return
    stamp = event.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    for index, line in enumerate(shown(say(event, zone)).splitlines()):
        yield f"{stamp if index == 0 else ' ' * len(stamp)}  {line}"


def _queued(event: Event, _: tzinfo) -> str:
    return f"queued   {short_id(event.turn_id)}: {_shortened(str(event.data.get('text', '')))}"


def _route(event: Event, _: tzinfo) -> str:
    data = event.data
    roles = " → ".join(map(str, data.get("roles", ())))
    return f"route    {roles}, {data.get('complexity')} ({data.get('by')}: {data.get('reason')})"


def _plan(event: Event, _: tzinfo) -> str:
    entries: list[Mapping[str, Any]] = list(event.data.get("assignments", ()))
    return "plan     " + "; ".join(f"{entry.get('id')} ({entry.get('role')})" for entry in entries)


def _attempt(event: Event, _: tzinfo) -> str:
    data = event.data
    cost = data.get("cost_usd")
    parts = [
        f"{data.get('role')} · {data.get('model')}",
        str(data.get("outcome", "")).replace("_", " "),
        show_duration(float(data.get("duration_s") or 0)),
        show_usd(None if cost is None else Decimal(str(cost))),
    ]
    notes = [f"instead of {data['fallback_from']}"] if data.get("fallback_from") else []
    notes += [f"{skip.get('model')} {skip.get('reason')}" for skip in data.get("skipped", ())]
    notes += [str(data["message"])] if data.get("message") else []
    remark = f" ({' '.join('; '.join(notes).split())})" if notes else ""
    return f"attempt  {' · '.join(parts)}{remark}"


def _parked(event: Event, zone: tzinfo) -> str:
    data = event.data
    wake_at = data.get("wake_at")
    if wake_at is None and str(data.get("sentence", "")).startswith(_WAITS_FOR_AN_ANSWER):
        return f"{data.get('status')!s:8} for an answer"
    until = _told(datetime.fromisoformat(wake_at), zone) if wake_at else "you resume it"
    evidence = f" ({data['evidence']})" if data.get("evidence") else ""
    tried = "".join(f"\n         tried {line}" for line in data.get("tried", ()))
    status = str(data.get("status", "parked"))
    return f"{status:8} until {until}{evidence}: {data.get('sentence')}{tried}"


def _told(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _woken(event: Event, _: tzinfo) -> str:
    slept = event.data.get("slept_s")
    return f"woke     after {show_duration(float(slept))}" if slept is not None else "woke"


def _ended(event: Event, _: tzinfo) -> str:
    data = event.data
    text = str(data.get("reply") or data.get("error") or "").rstrip()
    said = "".join(f"\n         {line}" for line in text.splitlines())
    return f"{data.get('status', 'ended')!s:8} {data.get('role') or ''}".rstrip() + said


def _tool_started(event: Event, _: tzinfo) -> str:
    return f"tool     {event.data.get('role', '')} · {tool_line(event.data)}"


def _tool_ended(event: Event, _: tzinfo) -> str:
    line = tool_line(event.data)
    return f"result   {line}{ending(event.data, line)}"


def _question(event: Event, _: tzinfo) -> str:
    kind = QuestionKind(event.data.get("kind", QuestionKind.APPROVAL))
    first, *others = as_asked(kind, str(event.data.get("text", ""))).splitlines() or [""]
    asks = [f"asks     {first}", *(f"         {line}" for line in others)]
    choices = [as_offered(kind, str(choice)) for choice in event.data.get("choices") or ()]
    if choices:
        asks.append(f"         answers: {', '.join(choices)}")
    asks.append(f"         `noctule sessions answer {event.data.get('question')} ANSWER`")
    return "\n".join(asks)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHORT_TEXT else f"{line[:_SHORT_TEXT]} …"


_SAYINGS: Mapping[EventKind, Callable[[Event, tzinfo], str]] = {
    EventKind.TURN_QUEUED: _queued,
    EventKind.TURN_STARTED: lambda event, _: f"started  {short_id(event.turn_id)}",
    EventKind.ROUTE: _route,
    EventKind.PLAN: _plan,
    EventKind.ATTEMPT_ENDED: _attempt,
    EventKind.ATTEMPT_DISCARDED: lambda event, _: (
        f"its partial output was discarded: {event.data.get('reason')}"
    ),
    EventKind.TOOL_STARTED: _tool_started,
    EventKind.TOOL_ENDED: _tool_ended,
    EventKind.PARKED: _parked,
    EventKind.WOKEN: _woken,
    EventKind.QUESTION: _question,
    EventKind.NOTICE: lambda event, _: f"notice   {event.data.get('text', '')}",
    EventKind.TURN_ENDED: _ended,
}
