"""What became of runs, read from the records; the same for every channel."""

from collections.abc import Sequence
from datetime import datetime

from noctule.core.ports.database import Database
from noctule.core.reports.costs import ListCost, dearest
from noctule.core.reports.run_report import RunReport, report_run
from noctule.core.sessions.sessions import Turn
from noctule.core.settings import Settings

_ALL = 1_000_000


class RunReports:
    """Reads what became of turns.

    Args:
        database: where they are.
        settings: their roles name the models that are compared with.
        list_cost: what tokens cost on these.
        now: prices change.
    """

    def __init__(
        self, database: Database, settings: Settings, list_cost: ListCost, *, now: datetime
    ) -> None:
        self._database = database
        self._list_cost = list_cost
        bound = dict.fromkeys(model for _, role in settings.roles.items() for model in role.models)
        self._dearest = dearest(bound, list_cost, now)

    async def of(self, turn: Turn) -> RunReport:
        """Return what became of a turn."""
        return (await self.of_session(turn.session_id, [turn]))[turn.id]

    async def of_session(self, session_id: str, turns: Sequence[Turn]) -> dict[str, RunReport]:
        """Return what became of turns of one session, by id."""
        async with self._database.read() as work:
            attempts = await work.attempts.list(session_id=session_id)
            events = await work.events.after(session_id, 0, limit=_ALL)
        return {
            turn.id: report_run(
                turn,
                attempts=[attempt for attempt in attempts if attempt.turn_id == turn.id],
                events=events,
                dearest=self._dearest,
                list_cost=self._list_cost,
            )
            for turn in turns
        }
