"""Course: how far a piece of work has come, put together from its events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from noctule.core.llm.attempts import Purpose
from noctule.core.llm.events import Event, EventKind
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.lifecycle import Status

_SUBJECT_CHARS = 70
_NOTE_CHARS = 200


@dataclass
class RunProgress:
    """One turn at work.

    Args:
        turn_id: which.

    Attributes:
        status: as the events say.
        begun_at: when it first ran; None before.
        role: who was asked last; None when nobody was.
        model: likewise.
        doing: what it does at this moment; "" when nobody knows.
        steps: answers of models and tool calls that ended.
        cost_usd: of the requests so far, as far as it is known.
        unknown: whether the cost of one of them is not.
        assignments: ids and roles of a plan, in order.
        note: what people were last told of it besides; "" for nothing.
        wake_at: when a sleeping one goes on; None when it does not sleep or nobody knows.
    """

    turn_id: str
    status: Status = Status.QUEUED
    begun_at: datetime | None = None
    role: str | None = None
    model: str | None = None
    doing: str = ""
    steps: int = 0
    cost_usd: Decimal = Decimal(0)
    unknown: bool = False
    assignments: dict[str, str] = field(default_factory=dict)
    wake_at: datetime | None = None
    note: str = ""
    _texts: dict[str, list[str]] = field(default_factory=dict)

    @property
    def partial(self) -> str:
        """What was written last and not taken back; "" when nothing was."""
        texts = [text for pieces in self._texts.values() if (text := "".join(pieces).strip())]
        return texts[-1] if texts else ""

    def take(self, event: Event) -> None:
        """Take one event of the turn in; those of others are passed over."""
        if event.turn_id == self.turn_id:
            take = self._takes.get(event.kind)
            if take is not None:
                take(event.data)
            if event.kind in _BEGINS:
                self.begun_at = self.begun_at or event.at

    @property
    def _takes(self) -> Mapping[EventKind, Callable[[Mapping[str, Any]], None]]:
        return {
            EventKind.TURN_STARTED: self._runs,
            EventKind.WOKEN: self._runs,
            EventKind.ATTEMPT_STARTED: self._asks,
            EventKind.ATTEMPT_ENDED: self._answered,
            EventKind.ATTEMPT_DISCARDED: self._takes_back,
            EventKind.DELTA: self._writes,
            EventKind.TOOL_STARTED: self._acts,
            EventKind.TOOL_ENDED: self._acted,
            EventKind.PLAN: self._plans,
            EventKind.PARKED: self._rests,
            EventKind.NOTICE: self._notes,
            EventKind.TURN_ENDED: self._ends,
        }

    def _runs(self, data: Mapping[str, Any]) -> None:
        self.status, self.wake_at = Status.RUNNING, None
        self.doing = "resuming" if "slept_s" in data else "starting"

    def _asks(self, data: Mapping[str, Any]) -> None:
        purpose = str(data.get("purpose", Purpose.ANSWER))
        self.role, self.model = str(data.get("role")), str(data.get("model"))
        self.doing = _PURPOSES.get(purpose, "thinking")
        if purpose == Purpose.ANSWER.value:
            self._texts[str(data.get("attempt"))] = []

    def _writes(self, data: Mapping[str, Any]) -> None:
        attempt = str(data.get("attempt"))
        if attempt in self._texts:  # what routes and plans are made of is nobody's answer
            self._texts[attempt].append(str(data.get("text", "")))
            self.doing = "writes"

    def _takes_back(self, data: Mapping[str, Any]) -> None:
        attempt = str(data.get("attempt"))
        if attempt in self._texts:  # it may go on: what was shown was its thinking
            self._texts[attempt] = []

    def _acts(self, data: Mapping[str, Any]) -> None:
        self.doing = _tool(data)

    def _acted(self, data: Mapping[str, Any]) -> None:
        del data
        self.steps += 1

    def _ends(self, data: Mapping[str, Any]) -> None:
        self.status, self.doing = Status(str(data["status"])), ""

    def _notes(self, data: Mapping[str, Any]) -> None:
        text = " ".join(str(data.get("text") or "").split())
        if text and not data.get("steer") and not data.get("question"):
            self.note = text if len(text) <= _NOTE_CHARS else f"{text[: _NOTE_CHARS - 1]}…"

    def _answered(self, data: Mapping[str, Any]) -> None:
        cost = data.get("cost_usd")
        if cost is not None:
            self.cost_usd += Decimal(str(cost))
        if data.get("outcome") == Outcome.SUCCESS.value:
            self.unknown = self.unknown or cost is None
            self.steps += data.get("purpose") == Purpose.ANSWER.value

    def _plans(self, data: Mapping[str, Any]) -> None:
        entries = [entry for entry in data.get("assignments", ()) if isinstance(entry, Mapping)]
        self.assignments = {str(entry.get("id")): str(entry.get("role")) for entry in entries}

    def _rests(self, data: Mapping[str, Any]) -> None:
        self.status, self.doing = Status(str(data.get("status", Status.PARKED))), ""
        wake_at = data.get("wake_at")
        self.wake_at = datetime.fromisoformat(wake_at) if wake_at else None


def _tool(data: Mapping[str, Any]) -> str:
    subject = " ".join(str(data.get("subject") or "").split())
    shown = subject if len(subject) <= _SUBJECT_CHARS else f"{subject[: _SUBJECT_CHARS - 1]}…"
    return f"{data.get('tool', 'a tool')} {shown}".strip()


_PURPOSES = {
    Purpose.ROUTE.value: "choosing who does it",
    Purpose.PLAN.value: "planning",
    Purpose.REVIEW.value: "reviewing",
    Purpose.SUMMARY.value: "summing up what it has done",
    Purpose.ANSWER.value: "thinking",
}

_BEGINS = frozenset({EventKind.TURN_STARTED, EventKind.WOKEN})
