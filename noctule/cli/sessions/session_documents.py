"""The JSON documents of ``noctule sessions``: a contract that scripts depend on."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import cast

from noctule.cli.frame.documents import question_document, route_document
from noctule.cli.frame.moments import iso
from noctule.cli.json_types.sessions import (
    ParkingDocument,
    SessionDocument,
    SessionEntry,
    SessionTurn,
)
from noctule.cli.json_types.turns import RunReportDocument
from noctule.cli.sessions.view import SessionView
from noctule.core.llm.routes import Route
from noctule.core.reports.overview import Overview, first_to_wake, wakes_at
from noctule.core.reports.run_report import RunReport
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking
from noctule.core.sessions.sessions import Turn


def overview_document(overview: Overview, zone: tzinfo, *, questions: int) -> SessionEntry:
    """Return one entry of ``sessions --json``.

    Args:
        overview: the session.
        zone: where times are shown.
        questions: how many questions it waits to hear the answers of.
    """
    session = overview.session
    return {
        "id": session.id,
        "status": overview.status,
        "title": session.title,
        "owner": session.owner,
        "wake_at": iso(overview.wake_at, zone),
        "cost_usd": None if overview.cost_usd is None else float(overview.cost_usd),
        "kind": session.kind.value,
        "private": session.private,
        "created_at": iso(session.created_at, zone),
        "turns": overview.turns,
        "questions": questions,
    }


def session_document(view: SessionView, zone: tzinfo) -> SessionDocument:
    """Return what ``sessions show --json`` prints.

    Args:
        view: the session.
        zone: where times are shown.
    """
    entry = overview_document(view.overview, zone, questions=len(view.questions))
    turns = [
        _turn(turn, view.routes.get(turn.id), view.reports.get(turn.id), zone)
        for turn in view.turns
    ]
    return {
        "session": entry["id"],
        "status": entry["status"],
        "title": entry["title"],
        "owner": entry["owner"],
        "wake_at": entry["wake_at"],
        "cost_usd": entry["cost_usd"],
        "kind": entry["kind"],
        "private": entry["private"],
        "created_at": entry["created_at"],
        "parking": _parking(view.overview.turn, view.parkings, zone),
        "questions": [question_document(question, zone) for question in view.questions],
        "workspace": view.workspace,
        "turns": turns,
    }


def _parking(
    turn: Turn | None, parkings: Sequence[Parking], zone: tzinfo
) -> ParkingDocument | None:
    if turn is None or turn.status not in {Status.PARKED, Status.WAITING}:
        return None
    first = first_to_wake(parkings)
    if first is None:  # it asks its person for something that no parking holds
        return {"reason": turn.error, "evidence": None, "tried": [], "sentence": turn.error}
    return {
        "reason": first.reason,
        "evidence": first.evidence,
        "tried": list(first.tried),
        "sentence": turn.error,
        "kind": first.kind.value,
        "model": first.model,
        "parked_at": iso(first.parked_at, zone),
        "lap": first.lap,
        "branches": len(parkings),
    }


def _turn(turn: Turn, route: Route | None, report: RunReport | None, zone: tzinfo) -> SessionTurn:
    return {
        "id": turn.id,
        "status": turn.status.value,
        "text": turn.text,
        "reply": turn.reply,
        "error": turn.error,
        "verdict": turn.verdict,
        "route": None if route is None else route_document(route),
        "wake_at": iso(wakes_at(turn), zone),
        "created_at": iso(turn.created_at, zone),
        "started_at": iso(turn.started_at, zone),
        "ended_at": iso(turn.ended_at, zone),
        "report": None if report is None else cast("RunReportDocument", report.as_json(zone)),
    }
