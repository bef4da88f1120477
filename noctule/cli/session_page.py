"""A session as a page for people: head, what it waits for, what was said."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from noctule.channels.terminal.printable import printable
from noctule.cli.moments import show
from noctule.cli.short_ids import short_turn
from noctule.core.lifecycle import Status
from noctule.core.money import show_usd
from noctule.core.overview import Overview, first_to_wake
from noctule.core.parkings import Parking
from noctule.core.routes import Route
from noctule.core.run_report import RunReport
from noctule.core.sessions import SessionKind, Turn

if TYPE_CHECKING:
    from noctule.bootstrap import Records


def print_session(
    overview: Overview,
    turns: Sequence[Turn],
    parkings: Sequence[Parking],
    routes: Mapping[str, Route],
    reports: Mapping[str, RunReport],
    records: "Records",
) -> None:
    """Print a session on stdout.

    Args:
        overview: the session.
        turns: its turns, oldest first.
        parkings: open ones of the turn whose status it shows.
        routes: of the turns that have one.
        reports: of the turns that have ended; shown under those of runs, and those that slept.
        records: the zone and the present moment.
    """
    for line in [*_head(overview, records), *_sleep(overview.turn, parkings)]:
        click.echo(line)
    for turn in turns:
        click.echo()
        for line in _turn(turn, routes.get(turn.id), records):
            click.echo(line)
        report = reports.get(turn.id)
        if report is not None and (overview.session.kind is SessionKind.RUN or report.naps):
            click.echo(click.style(report.sentence(records.zone), dim=True))


def _head(overview: Overview, records: "Records") -> Iterator[str]:
    session, now = overview.session, records.clock.now()
    yield click.style(printable(session.title or "(untitled)"), bold=True)
    status = "empty" if overview.status is None else overview.status.value
    wake = show(overview.wake_at, records.zone, now)
    until = f" until {wake}" if overview.wake_at is not None else ""
    privately = ", private" if session.private else ""
    yield f"{session.id}  {session.kind.value} of {session.owner}{privately}"
    begun = show(session.created_at, records.zone, now)
    yield f"{status}{until}; begun {begun}; {show_usd(overview.cost_usd)} so far"


def _sleep(turn: Turn | None, parkings: Sequence[Parking]) -> Iterator[str]:
    if turn is None or turn.status not in {Status.PARKED, Status.WAITING}:
        return
    if turn.error:
        yield printable(turn.error)
    first = first_to_wake(parkings)
    if first is None:
        return
    if first.evidence is not None:
        yield f"  known from: {first.evidence.value}"
    for line in first.tried:
        yield printable(f"  tried: {line}")


def _turn(turn: Turn, route: Route | None, records: "Records") -> Iterator[str]:
    said = show(turn.created_at, records.zone, records.clock.now())
    verdict = "" if turn.verdict is None else f", rated {turn.verdict.value}"
    yield click.style(f"[{short_turn(turn.id)}  {said}  {turn.status.value}{verdict}]", dim=True)
    yield printable(f"> {turn.text}").replace("\n", "\n> ")
    if turn.reply is not None:
        if route is not None:
            names = ", ".join(role.value for role in route.roles)
            yield click.style(f"{names}:", bold=True)
        yield printable(turn.reply)
    elif turn.error:
        yield printable(turn.error)
