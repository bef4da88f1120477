"""Makes what the nodes of a turn are given, always from the current configuration."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from langchain_core.language_models import BaseChatModel

from graphs.state.context import TurnContext
from graphs.state.tool_env import ToolEnvironment
from noctule.core.base.roles import Role
from noctule.core.clock import Clock
from noctule.core.llm.calls import EventSink
from noctule.core.ports.database import Database
from noctule.core.ports.models import ChatModels
from noctule.core.sessions.sessions import Session, Turn
from noctule.core.settings import Settings
from noctule.core.settings.root import RouteBy


class Contexts:
    """The current configuration, seen from a turn.

    Args:
        settings: the configuration as it is now, not as it was when the turn began.
        models: where the model of a role comes from.
        database: where routes are stored.
        clock: times the work.
        equipment: what agents act with; None lets them only write.
    """

    def __init__(
        self,
        settings: Settings,
        models: ChatModels[BaseChatModel],
        database: Database,
        clock: Clock,
        equipment: ToolEnvironment | None = None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._models = models
        self._database = database
        self._equipment = equipment
        self._look: Callable[[], Awaitable[None]] | None = None

    def look_with(self, look: Callable[[], Awaitable[None]]) -> None:
        """Have the file looked at before a turn is told that it does not have what it asks for."""
        self._look = look

    def use(
        self,
        settings: Settings,
        models: ChatModels[BaseChatModel],
        equipment: ToolEnvironment | None,
    ) -> None:
        """Take over a configuration: turns go on with it at their next start, wake or retry.

        Args:
            settings: the configuration.
            models: where the model of a role comes from.
            equipment: what agents act with; None lets them only write.
        """
        self._settings, self._models, self._equipment = settings, models, equipment

    def of(
        self,
        turn: Turn,
        session: Session,
        sink: EventSink,
        *,
        awaited_since: datetime | None = None,
    ) -> TurnContext:
        """Return the context of a turn.

        Args:
            turn: as the database has it.
            session: its session.
            sink: who is told what happens.
            awaited_since: since when a person sits waiting for it; None when nobody does.
        """
        return TurnContext(
            turn=turn,
            session=session,
            models=self._models,
            database=self._database,
            sink=sink,
            default_role=self._settings.default_role,
            asks_for_route=self._settings.route_by is RouteBy.ORCHESTRATOR,
            limits=self._settings.limits,
            clock=self._clock,
            equipment=self._equipment,
            awaited_since=awaited_since,
        )

    async def unable(self, turn: Turn) -> str | None:
        """Return why a turn cannot run under the current configuration; None when it can."""
        reason = self._unable(turn)
        if reason is not None and self._look is not None:
            await self._look()
            reason = self._unable(turn)
        return reason

    def _unable(self, turn: Turn) -> str | None:
        resume = f"`noctule sessions resume {turn.session_id}"
        if turn.model is not None and turn.model not in self._settings.models:
            return (
                f"The model {turn.model!r} chosen for this turn is not in the configuration that "
                f"is used here. {resume} --model MODEL` goes on with another."
            )
        if turn.role is not None and turn.role not in set(Role):
            return (
                f"The role {turn.role!r} chosen for this turn no longer exists. "
                f"`noctule sessions cancel {turn.session_id}` ends it."
            )
        return None
