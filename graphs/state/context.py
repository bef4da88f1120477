"""What the nodes are given besides the state: never stored, always of the current configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from langchain_core.language_models import BaseChatModel

from graphs.state.tool_env import ToolEnvironment
from noctule.core.base.roles import Role
from noctule.core.clock import Clock
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.calls import CallContext, EventSink
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import Complexity
from noctule.core.llm.selection import RoutingPreference
from noctule.core.ports.database import Database
from noctule.core.ports.models import ChatModels
from noctule.core.sessions.sessions import Session, Turn
from noctule.core.settings import LimitsSettings


@dataclass(frozen=True, slots=True)
class TaggedSink:
    """A sink that marks every event with the branch it comes from."""

    inner: EventSink
    tags: Mapping[str, Any]

    def emit(self, kind: EventKind, **data: object) -> None:
        """Hand the event on with its tags."""
        self.inner.emit(kind, **{**self.tags, **data})


@dataclass(frozen=True, slots=True)
class TurnContext:
    """Everything a turn's nodes may use.

    Args:
        turn: the turn as the database has it.
        session: its session.
        models: where the model of a role comes from.
        database: where routes are stored.
        sink: who is told what happens.
        default_role: who answers when nobody could decide.
        asks_for_route: whether the orchestrator's model decides where no rule fits.
        limits: caps of steps and calls.
        clock: times the work.
        equipment: what agents act with; None lets them only write.
        complexity: chooses within a role's binding.
        hand_over_allowed: whether the agent may say that the turn is not for it.
        part: what the agent does of a request that several share; None when it does all of it.
        tags: what marks the events of a plan's branch; empty outside a plan.
        epoch: under which tenure its steps are stored; None where nobody may be superseded.
        awaited_since: since when a person sits waiting for it; None when nobody does.
    """

    turn: Turn
    session: Session
    models: ChatModels[BaseChatModel]
    database: Database
    sink: EventSink
    default_role: Role
    limits: LimitsSettings
    clock: Clock
    equipment: ToolEnvironment | None = None
    complexity: Complexity = Complexity.SIMPLE
    hand_over_allowed: bool = True
    part: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    epoch: int | None = None
    asks_for_route: bool = True
    awaited_since: datetime | None = None

    def branch(
        self,
        *,
        complexity: Complexity,
        hand_over_allowed: bool = False,
        part: str | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> "TurnContext":
        """Return the context one agent works under."""
        return replace(
            self,
            complexity=complexity,
            hand_over_allowed=hand_over_allowed,
            part=part,
            tags=tags or {},
        )

    @property
    def tagged_sink(self) -> EventSink:
        """Who is told what happens, with the tags of this branch."""
        return TaggedSink(self.sink, self.tags) if self.tags else self.sink

    def call(
        self,
        role: Role,
        purpose: Purpose,
        *,
        stream: bool = False,
        forced: str | None = None,
        loop: bool = False,
    ) -> CallContext:
        """Return the circumstances of one model call of this turn.

        Args:
            role: whose call it is.
            purpose: what it is for.
            stream: whether watchers see the text as it comes.
            forced: the only model that may serve it; None leaves the choice.
            loop: whether it is a step of a loop, which goes on until no tool is called.
        """
        return CallContext(
            role=role,
            purpose=purpose,
            session_id=self.session.id,
            turn_id=self.turn.id,
            owner=self.session.owner,
            budget_usd=self.session.budget_usd,
            private=self.turn.private or self.session.private,
            complexity=self.complexity,
            wish=RoutingPreference(forced=forced) if forced else self._wish(role, purpose),
            stream=stream,
            sink=self.tagged_sink,
            loop=loop,
            awaited_since=self.awaited_since,
        )

    def _wish(self, role: Role, purpose: Purpose) -> RoutingPreference:
        # A forced model is the person's choice for the answer; routing keeps its cheap one.
        forced = self.turn.model if purpose is Purpose.ANSWER else None
        pinned = self.session.chat_model if role is Role.CHAT else None
        return RoutingPreference(forced=forced, pinned=pinned, on_limit=self.turn.on_limit)
