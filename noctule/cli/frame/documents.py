"""The JSON documents of the command line: a contract that scripts depend on."""

from datetime import UTC, tzinfo
from typing import cast

from noctule.channels.terminal.turn_result import TurnResult
from noctule.cli.frame.moments import iso
from noctule.cli.json_types.turns import (
    AttemptDocument,
    BaselineDocument,
    QuestionDocument,
    RouteDocument,
    TurnDocument,
)
from noctule.core.llm.routes import Route
from noctule.core.reports.costs import Baseline
from noctule.core.sessions.choices import choices_of
from noctule.core.sessions.consent import covered
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Question, QuestionKind


def turn_document(said: TurnResult, sentence: str | None) -> TurnDocument:
    """Return what ``chat --json`` and ``run --json`` print.

    Args:
        said: the turn at rest.
        sentence: why there is no reply; None when there is one.
    """
    turn, cost_usd = said.turn, said.cost_usd
    rests = turn.status in {Status.PARKED, Status.WAITING, Status.QUEUED}
    document: TurnDocument = {
        "session": turn.session_id,
        "turn": turn.id,
        "status": turn.status.value,
        "reply": turn.reply,
        "route": None if said.route is None else route_document(said.route),
        "attempts": [cast("AttemptDocument", one.as_json()) for one in said.attempts],
        "cost_usd": None if cost_usd is None else float(cost_usd),
        "wake_at": turn.wake_at.isoformat() if rests and turn.wake_at else None,
    }
    if said.questions and rests:
        document["questions"] = [
            question_document(question, question.asked_at.tzinfo or UTC)
            for question in said.questions
        ]
    if sentence is not None:
        document["error"] = sentence
    return document


def question_document(question: Question, zone: tzinfo) -> QuestionDocument:
    """Return a question as JSON values; a choice has its value and what it means.

    Args:
        question: open or answered.
        zone: where times are shown.
    """
    return {
        "id": question.id,
        "turn": question.turn_id,
        "kind": question.kind.value,
        "text": question.text,
        "shown": question.shown,
        "asked_by": "agent" if question.kind is QuestionKind.QUESTION else "noctule",
        "session": question.session_id,
        "server": question.server,
        "workspace": question.workspace,
        "covers": covered(question.tool, server=question.server, seal=question.seal)
        if question.kind is QuestionKind.APPROVAL
        else None,
        "choices": [{"value": c.value, "text": c.text} for c in choices_of(question)],
        "tool": question.tool,
        "subject": question.subject,
        "asked_at": iso(question.asked_at, zone),
        "answer": question.answer,
        "answered_by": question.answered_by,
    }


def baseline_document(baseline: Baseline | None) -> BaselineDocument | None:
    """Return a comparison as JSON values; None stays None."""
    return None if baseline is None else cast("BaselineDocument", baseline.as_json())


def route_document(route: Route) -> RouteDocument:
    """Return a route as JSON values; ``role`` is the first of ``roles``."""
    return {
        "role": route.role.value,
        "roles": [role.value for role in route.roles],
        "by": route.by.value,
        "reason": route.reason,
        "complexity": route.complexity.value,
        "confidence": route.confidence,
    }
