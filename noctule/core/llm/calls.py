"""The circumstances of one call to a role's models."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from noctule.core.base.roles import Role
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import Complexity
from noctule.core.llm.selection import RoutingPreference


class EventSink(Protocol):
    """Where a call reports what watchers should see."""

    def emit(self, kind: EventKind, **data: object) -> None:
        """Hand over one event; never waits and never raises."""
        ...


class NoSink:
    """A sink for calls that nobody watches."""

    def emit(self, kind: EventKind, **data: object) -> None:
        """Forget the event."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """Whose call it is and how it is to be made.

    Args:
        role: whose binding serves it.
        purpose: what it is for.
        session_id: None outside a session.
        turn_id: None outside a turn.
        owner: whose session it is; None outside a session.
        budget_usd: the most its session may spend in all, in USD; None means no such bound.
        private: True keeps it on local models.
        complexity: chooses within the binding.
        wish: forced or pinned model, and what to do at a limit.
        stream: True emits text deltas to the sink as they come.
        sink: who is told of attempts and deltas.
        loop: True when the caller goes on until no tool is called: a model that needs it is led.
        tools_known: names of the tools its role may have, offered in this call or not: a call of
            one that is written as text is no answer.
        awaited_since: since when a person sits waiting for it; None when nobody does (background
            work, and whatever has slept).
    """

    role: Role
    purpose: Purpose = Purpose.ANSWER
    session_id: str | None = None
    turn_id: str | None = None
    owner: str | None = None
    budget_usd: Decimal | None = None
    private: bool = False
    complexity: Complexity = Complexity.SIMPLE
    wish: RoutingPreference = field(default_factory=RoutingPreference)
    stream: bool = False
    sink: EventSink = field(default_factory=NoSink)
    loop: bool = False
    tools_known: frozenset[str] = frozenset()
    awaited_since: datetime | None = None
