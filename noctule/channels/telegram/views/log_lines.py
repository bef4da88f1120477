"""The steps of a session as lines for a phone."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from noctule.channels.telegram.base.amounts import shown_cost
from noctule.core.llm.events import Event, EventKind
from noctule.core.sessions.questions import QuestionKind, as_asked
from noctule.core.times.durations import show_duration

_MOST = 120


def log_line(event: Event) -> str | None:
    """Return what an event says in a log; None when it says nothing there."""
    say = _SAYINGS.get(event.kind)
    if say is None:
        return None
    line = " ".join(say(event.data).split())
    return line if len(line) <= _MOST else f"{line[: _MOST - 1]}…"


def _attempt(data: Mapping[str, Any]) -> str:
    cost = data.get("cost_usd")
    shown = shown_cost(None if cost is None else Decimal(str(cost)))
    outcome = str(data.get("outcome", "")).replace("_", " ")
    took = show_duration(float(data.get("duration_s") or 0))
    return f"{data.get('role')} · {data.get('model')}: {outcome}, {took}, {shown}"


def _tool(data: Mapping[str, Any]) -> str:
    took = show_duration(float(data.get("duration_s") or 0))
    return f"{data.get('tool')}: {'failed' if data.get('failed') else 'done'}, {took}"


def _route(data: Mapping[str, Any]) -> str:
    return f"route: {' → '.join(map(str, data.get('roles', ())))} ({data.get('reason')})"


def _text(data: Mapping[str, Any]) -> str:
    return str(data.get("text", ""))


def _asked(data: Mapping[str, Any]) -> str:
    return as_asked(QuestionKind(data.get("kind", QuestionKind.APPROVAL)), _text(data))


_SAYINGS: Mapping[EventKind, Callable[[Mapping[str, Any]], str]] = {
    EventKind.TURN_QUEUED: lambda data: f"said: {_text(data)}",
    EventKind.TURN_STARTED: lambda _: "started",
    EventKind.ROUTE: _route,
    EventKind.ATTEMPT_ENDED: _attempt,
    EventKind.TOOL_STARTED: lambda data: f"{data.get('tool')} {data.get('subject') or ''}",
    EventKind.TOOL_ENDED: _tool,
    EventKind.PARKED: lambda data: f"{data.get('status')}: {data.get('reason') or ''}",
    EventKind.WOKEN: lambda _: "resumed",
    EventKind.QUESTION: lambda data: f"asks: {_asked(data)}",
    EventKind.NOTICE: _text,
    EventKind.TURN_ENDED: lambda data: str(data.get("status", "ended")),
}
