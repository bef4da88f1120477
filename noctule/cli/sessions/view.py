"""All that is shown of one session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from noctule.core.llm.routes import Route
from noctule.core.reports.overview import Overview
from noctule.core.reports.run_report import RunReport
from noctule.core.sessions.parkings import Parking
from noctule.core.sessions.questions import Question
from noctule.core.sessions.sessions import Turn


@dataclass(frozen=True, slots=True)
class SessionView:
    """All that is shown of one session.

    Args:
        overview: the session at a glance.
        turns: its turns, oldest first.
        routes: of the turns that have one.
        parkings: open ones of the turn whose status it shows.
        reports: of the turns that have ended.
        questions: open ones, oldest first.
        workspace: the folder its agents work in; None while there is none.
    """

    overview: Overview
    turns: Sequence[Turn]
    routes: Mapping[str, Route]
    parkings: Sequence[Parking]
    reports: Mapping[str, RunReport]
    questions: Sequence[Question]
    workspace: str | None
