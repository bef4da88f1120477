"""``noctule sessions``: what there is, how far it has come, and orders for it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from noctule.cli.invocation import Invocation, runs

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.cli.session_view import SessionView
    from noctule.core.overview import Overview
    from noctule.core.ports import UnitOfWork
    from noctule.core.sessions import Session

_SHOWN = 50
_JSON = click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)
_ID = click.argument("session_id", metavar="ID")


@click.group("sessions", invoke_without_command=True)
@_JSON
@click.pass_context
def command(context: click.Context) -> None:
    """List sessions, newest first; with a subcommand look into one or give it an order.

    An ID may be shortened to any beginning that no other session shares. The table ends after 50
    rows, --json has all.
    """
    if context.invoked_subcommand is None:
        _list()


@command.command("list")
@_JSON
def list_sessions() -> None:
    """List sessions, newest first; the same as `noctule sessions` alone."""
    _list()


@runs
async def _list(invocation: Invocation) -> None:
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.session_documents import overview_document  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        most = None if invocation.as_json else _SHOWN + 1
        async with records.database.read() as work:
            sessions = await work.sessions.list(limit=most)
            overviews = [await _overview(work, session) for session in sessions]
            asks = Counter(question.session_id for question in await work.questions.open())
        if invocation.as_json:
            invocation.print_document(
                [
                    overview_document(overview, records.zone, questions=asks[overview.session.id])
                    for overview in overviews
                ]
            )
        elif not overviews:
            click.echo("No sessions yet. `noctule chat` starts one.")
        else:
            _print(overviews[:_SHOWN], [session.id for session in sessions], asks, records)
            if len(overviews) > _SHOWN:
                click.echo(f"The newest {_SHOWN}; `--json` has all.", err=True)
            _tell_of_nobody(overviews, records)


def _tell_of_nobody(overviews: Sequence["Overview"], records: "Records") -> None:
    """Say that what is under way stands still, and that what sleeps does not wake by itself."""
    from noctule.cli.session_orders import worker_of  # noqa: PLC0415 - not for --help
    from noctule.core.lifecycle import Status  # noqa: PLC0415 - likewise

    running = [each.session.id for each in overviews if each.status is Status.RUNNING]
    asleep = any(each.wake_at is not None for each in overviews)
    if not (running or asleep) or records.settings.storage.is_postgres:
        return  # on PostgreSQL workers of other data folders may be at it
    if worker_of(records) is not None:
        return
    if asleep:
        click.echo("Nobody wakes what sleeps: `noctule serve` does while it runs.", err=True)
    if running:
        click.echo(
            "Nobody works on what is running: its process ended. "
            f"`noctule serve` goes on with it, or `noctule sessions resume {running[0]}`.",
            err=True,
        )


async def _overview(work: "UnitOfWork", session: "Session") -> "Overview":
    from noctule.core.overview import Overview, standing_turn  # noqa: PLC0415 - not for --help
    from noctule.core.spending import total_usd  # noqa: PLC0415 - likewise

    turns = await work.turns.of_session(session.id)
    attempts = await work.attempts.list(session_id=session.id)
    return Overview(session, standing_turn(turns), len(turns), total_usd(attempts))


def _print(
    overviews: Sequence["Overview"],
    ids: Sequence[str],
    asks: Mapping[str, int],
    records: "Records",
) -> None:
    from noctule.cli.moments import show  # noqa: PLC0415 - not for --json
    from noctule.cli.short_ids import short_ids  # noqa: PLC0415 - likewise
    from noctule.cli.tables import Column, Fit, print_table  # noqa: PLC0415 - likewise
    from noctule.core.money import show_usd  # noqa: PLC0415 - likewise

    short, now = short_ids(ids), records.clock.now()
    print_table(
        (
            Column("id", rank=0),
            Column("begun", rank=4),
            Column("status", rank=0),
            Column("wakes", rank=2),
            Column("turns", rank=5, is_number=True),
            Column("cost", rank=3, is_number=True),
            Column("title", Fit.SHORTEN, rank=1),
        ),
        [
            (
                short[overview.session.id],
                show(overview.session.created_at, records.zone, now),
                _status(overview, asks.get(overview.session.id, 0)),
                show(overview.wake_at, records.zone, now),
                str(overview.turns),
                show_usd(overview.cost_usd),
                overview.session.title or "",
            )
            for overview in overviews
        ],
    )


def _status(overview: "Overview", questions: int) -> str:
    status = "empty" if overview.status is None else overview.status.value
    return f"{status}, asks you" if questions else status


@command.command("show")
@_ID
@_JSON
@runs
async def show_session(invocation: Invocation, *, session_id: str) -> None:
    """Show what was said in a session and what it waits for."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.session_documents import session_document  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        view = await _view(records, session_id)
        if invocation.as_json:
            invocation.print_document(session_document(view, records.zone))
            return
        from noctule.cli.session_page import print_session  # noqa: PLC0415 - not for --json

        print_session(view, records)


async def _view(records: "Records", session_id: str) -> "SessionView":
    from noctule.bootstrap import run_reports  # noqa: PLC0415 - not for --help
    from noctule.cli.session_view import SessionView  # noqa: PLC0415 - likewise
    from noctule.sessions.workspaces import workspace_of  # noqa: PLC0415 - likewise

    async with records.database.read() as work:
        session = await work.sessions.get(session_id)
        turns = await work.turns.of_session(session.id)
        overview = await _overview(work, session)
        routes = await work.routes.of_turns([turn.id for turn in turns])
        asleep = overview.turn
        parkings = [] if asleep is None else await work.parkings.open_of_turn(asleep.id)
        questions = await work.questions.open(session_id=session.id)
    ended = [turn for turn in turns if turn.status.finished]
    return SessionView(
        overview=overview,
        turns=turns,
        routes=routes,
        parkings=parkings,
        reports=await run_reports(records).of_session(session.id, ended),
        questions=questions,
        workspace=workspace_of(session, records.home),
    )


@command.command("log")
@_ID
@click.option("--follow", is_flag=True, help="Go on until the session rests, or Ctrl-C.")
@_JSON
@runs
async def log_session(invocation: Invocation, *, session_id: str, follow: bool) -> None:
    """Show the steps of a session as they happened: routes, attempts, sleeps, costs, replies.

    When it ends with the end of a turn, a line says how long that slept, what it cost and saved.
    --json prints one list; with --follow it is printed when the session rests.
    """
    from noctule.bootstrap import open_records, run_reports  # noqa: PLC0415 - not for --help
    from noctule.cli.session_log import event_document, log_lines, steps  # noqa: PLC0415 - likewise
    from noctule.core.events import EventKind  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        documents = []
        ended: str | None = None
        async for event in steps(records, session_id, follow=follow):
            ended = event.turn_id if event.kind is EventKind.TURN_ENDED else None
            if invocation.as_json:
                documents.append(event_document(event, records.zone))
                continue
            for line in log_lines(event, records.zone):
                click.echo(line)
        if invocation.as_json:
            invocation.print_document(documents)
        elif ended is not None:
            async with records.database.read() as work:
                turn = await work.turns.get(ended)
            click.echo((await run_reports(records).of(turn)).sentence(records.zone))


@command.command("resume")
@_ID
@click.option("--model", help="Go on with this model, by its configured name.")
@_JSON
@runs
async def resume_session(invocation: Invocation, *, session_id: str, model: str | None) -> int:
    """Let a parked, waiting or failed session go on now.

    `noctule serve` takes it over when it runs; else it goes on here until it rests again: exit
    code 0 done, 75 parked or waiting, 1 failed.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.session_orders import resume  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        return await resume(invocation, records, session_id, model)


@command.command("cancel")
@_ID
@_JSON
@runs
async def cancel_session(invocation: Invocation, *, session_id: str) -> None:
    """End everything unfinished in a session; what was said stays."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.session_orders import cancel  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await cancel(invocation, records, session_id)


@command.command("park")
@_ID
@_JSON
@runs
async def park_session(invocation: Invocation, *, session_id: str) -> None:
    """Put a running session to sleep; only `resume` wakes it."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.session_orders import park  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await park(invocation, records, session_id)


@command.command("answer")
@_ID
@click.argument("answer", required=False)
@_JSON
@runs
async def answer_session(invocation: Invocation, *, session_id: str, answer: str | None) -> int:
    """Answer what a session waits to hear; without ANSWER show it and its choices.

    ID is a question, or a session with one open question. ANSWER is a choice, its number, or
    any text where the question takes it. Then the session goes on, with `noctule serve` when it
    runs, else here until it rests again: exit code 0 done, 75 parked or waiting, 1 failed.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.session_answers import respond  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        return await respond(invocation, records, session_id, answer)


@command.command("steer")
@_ID
@click.argument("text")
@_JSON
@runs
async def steer_session(invocation: Invocation, *, session_id: str, text: str) -> None:
    """Say something to a session while it works; the agent reads it before its next step."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.session_answers import steer  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await steer(invocation, records, session_id, text)


@command.group("grants", invoke_without_command=True)
@_JSON
@click.pass_context
def grants(context: click.Context) -> None:
    """List what was allowed beyond the configuration, by an answer or by --allow."""
    if context.invoked_subcommand is None:
        _list_grants()


@runs
async def _list_grants(invocation: Invocation) -> None:
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.session_grants import list_grants  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await list_grants(invocation, records)


@grants.command("revoke")
@click.argument("grant_id", metavar="ID")
@_JSON
@runs
async def revoke_grant(invocation: Invocation, *, grant_id: str) -> None:
    """Take back what was allowed; calls under way are not stopped."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.session_grants import revoke  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await revoke(invocation, records, grant_id)
