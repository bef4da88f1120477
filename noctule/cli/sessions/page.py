"""A session as a page for people: head, what it waits for, what was said."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from noctule.channels.terminal.question_page import how_to_answer, question_lines
from noctule.channels.terminal.screens.printable import shown
from noctule.cli.frame.moments import show
from noctule.cli.sessions.view import SessionView
from noctule.core.base.money import show_usd
from noctule.core.base.short_ids import short_id
from noctule.core.llm.routes import Route
from noctule.core.reports.overview import Overview, first_to_wake
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking
from noctule.core.sessions.questions import Question
from noctule.core.sessions.sessions import SessionKind, Turn

if TYPE_CHECKING:
    from noctule.bootstrap import Records


def print_session(view: SessionView, records: "Records") -> None:
    """Print a session on stdout; reports stand under turns of runs, and under those that slept.

    Args:
        view: the session.
        records: the zone and the present moment.
    """
    overview, questions = view.overview, view.questions
    waits = _asks(questions) if questions else _sleep(overview.turn, view.parkings)
    for line in [*_head(overview, view.workspace, records), *waits]:
        click.echo(line)
    for turn in view.turns:
        click.echo()
        for line in _turn(turn, view.routes.get(turn.id), records):
            click.echo(line)
        report = view.reports.get(turn.id)
        if report is not None and (overview.session.kind is SessionKind.RUN or report.naps):
            click.echo(click.style(report.sentence(records.zone), dim=True))


def _head(overview: Overview, workspace: str | None, records: "Records") -> Iterator[str]:
    session, now = overview.session, records.clock.now()
    yield click.style(shown(session.title or "(untitled)"), bold=True)
    status = "empty" if overview.status is None else overview.status.value
    wake = show(overview.wake_at, records.zone, now)
    until = f" until {wake}" if overview.wake_at is not None else ""
    privately = ", private" if session.private else ""
    yield f"{session.id}  {session.kind.value} of {session.owner}{privately}"
    begun = show(session.created_at, records.zone, now)
    yield f"{status}{until}; started {begun}; {show_usd(overview.cost_usd)} so far"
    if workspace is not None:
        yield shown(f"works in {workspace}")


def _asks(questions: Sequence[Question]) -> Iterator[str]:
    for question in questions:
        yield ""
        for line in question_lines(question):
            yield click.style(shown(line), fg="yellow")
        yield how_to_answer(question)


def _sleep(turn: Turn | None, parkings: Sequence[Parking]) -> Iterator[str]:
    if turn is None or turn.status not in {Status.PARKED, Status.WAITING}:
        return
    if turn.error:
        yield shown(turn.error)
    first = first_to_wake(parkings)
    if first is None:
        return
    if first.evidence is not None:
        yield f"  source: {first.evidence.value}"
    for line in first.tried:
        yield shown(f"  tried: {line}")


def _turn(turn: Turn, route: Route | None, records: "Records") -> Iterator[str]:
    said = show(turn.created_at, records.zone, records.clock.now())
    verdict = "" if turn.verdict is None else f", rated {turn.verdict.value}"
    yield click.style(f"[{short_id(turn.id)}  {said}  {turn.status.value}{verdict}]", dim=True)
    yield shown(f"> {turn.text}").replace("\n", "\n> ")
    if turn.reply is not None:
        if route is not None:
            names = ", ".join(role.value for role in route.roles)
            yield click.style(f"{names}:", bold=True)
        yield shown(turn.reply)
    elif turn.error:
        yield shown(turn.error)
