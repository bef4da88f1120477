"""``noctule sessions``: what there is, how far it has come, and orders for it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.completed import MODEL, SESSION
from noctule.cli.frame.invocation import Invocation, runs
from noctule.cli.frame.tables import MOST_ROWS
from noctule.core.sessions.lifecycle import Status

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.cli.sessions.view import SessionView

_JSON = click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)
_ID = click.argument("session_id", metavar="ID", type=SESSION)


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that narrow a list of sessions."""
    for option in (
        click.option("--limit", type=click.IntRange(1, MOST_ROWS), help="Show at most this many."),
        click.option(
            "--search", metavar="TEXT", help="Only sessions whose title or messages contain TEXT."
        ),
        click.option(
            "--status",
            type=click.Choice([status.value for status in Status]),
            multiple=True,
            help="Only sessions in this state. Repeatable.",
        ),
    ):
        command = option(command)
    return command


@click.group("sessions", invoke_without_command=True)
@_filters
@_JSON
@click.pass_context
def command(
    context: click.Context, *, status: tuple[str, ...], search: str | None, limit: int | None
) -> None:
    """List sessions, newest first; subcommands show or change one.

    ID is a whole id, a beginning or end of one that no other session shares, or `last`. The table
    shows at most 50 rows unless you set --limit; --json shows all.
    """
    if context.invoked_subcommand is None:
        _list(status=status, search=search, limit=limit)


@command.command("list")
@_filters
@_JSON
def list_(*, status: tuple[str, ...], search: str | None, limit: int | None) -> None:
    """List sessions, newest first; the same as `noctule sessions` alone."""
    _list(status=status, search=search, limit=limit)


@runs
async def _list(
    invocation: Invocation, *, status: tuple[str, ...], search: str | None, limit: int | None
) -> None:
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.table import SessionFilter, list_sessions  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await list_sessions(invocation, records, SessionFilter(status, search, limit))


@command.command("show")
@_ID
@_JSON
@runs
async def show_session(invocation: Invocation, *, session_id: str) -> None:
    """Show what was said in a session and what it waits for."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.session_documents import session_document  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        view = await _view(records, session_id)
        if invocation.as_json:
            invocation.print_document(session_document(view, records.zone))
            return
        from noctule.cli.sessions.page import print_session  # noqa: PLC0415 - not for --json

        print_session(view, records)


async def _view(records: "Records", session_id: str) -> "SessionView":
    from noctule.bootstrap import run_reports  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.table import overview_of  # noqa: PLC0415 - likewise
    from noctule.cli.sessions.view import SessionView  # noqa: PLC0415 - likewise
    from noctule.sessions.service.workspaces import workspace_of  # noqa: PLC0415 - likewise

    async with records.database.read() as work:
        session = await work.sessions.get(session_id)
        turns = await work.turns.of_session(session.id)
        overview = await overview_of(work, session, turns)
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
@click.option("--follow", is_flag=True, help="Follow until the session ends or pauses, or Ctrl-C.")
@_JSON
@runs
async def log_session(invocation: Invocation, *, session_id: str, follow: bool) -> None:
    """Show the steps of a session: routes, attempts, parks, costs, replies.

    After the end of a turn, a line says how long it was parked, what it cost and saved. --json
    prints one list; with --follow, it is printed when the session ends or pauses.
    """
    from noctule.bootstrap import open_records, run_reports  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.log import event_document, log_lines, steps  # noqa: PLC0415 - likewise
    from noctule.core.llm.events import EventKind  # noqa: PLC0415 - likewise

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
@click.option(
    "--model", type=MODEL, metavar="NAME", help="Continue with this model, by its configured name."
)
@_JSON
@runs
async def resume_session(invocation: Invocation, *, session_id: str, model: str | None) -> int:
    """Resume a parked, waiting or failed session now.

    `noctule serve` continues it if it is running; otherwise this command does, until it ends or
    pauses again: exit code 0 done, 75 parked or waiting, 1 failed.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.orders import resume  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        return await resume(invocation, records, session_id, model)


@command.command("cancel")
@_ID
@_JSON
@runs
async def cancel_session(invocation: Invocation, *, session_id: str) -> None:
    """Cancel everything unfinished in a session; what was said stays."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.orders import cancel  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await cancel(invocation, records, session_id)


@command.command("park")
@_ID
@_JSON
@runs
async def park_session(invocation: Invocation, *, session_id: str) -> None:
    """Park a running session; only `resume` wakes it."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.orders import park  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await park(invocation, records, session_id)


@command.command("answer")
@_ID
@click.argument("answer", required=False)
@click.option("--full", is_flag=True, help="Show all of what it is about, however long.")
@_JSON
@runs
async def answer_session(
    invocation: Invocation, *, session_id: str, answer: str | None, full: bool
) -> int:
    """Answer a session's question; without ANSWER, show it and its choices.

    ID is a question, or a session with one open question. ANSWER is a choice, its number, or any
    text if the question allows it. Then the session resumes, in `noctule serve` if it is running,
    otherwise here until it ends or pauses again: exit code 0 done, 75 parked or waiting, 1 failed.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.answers import respond  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        return await respond(invocation, records, session_id, answer, full=full)


@command.command("steer")
@_ID
@click.argument("text")
@_JSON
@runs
async def steer_session(invocation: Invocation, *, session_id: str, text: str) -> None:
    """Write to a running session; the agent reads it before its next step."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.answers import steer  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await steer(invocation, records, session_id, text)


@command.command("rename")
@_ID
@click.argument("title")
@_JSON
@runs
async def rename_session(invocation: Invocation, *, session_id: str, title: str) -> None:
    """Change the title of a session."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.channels.terminal.screens.printable import printable  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        session = await records.service.rename(session_id, title)
        if invocation.as_json:
            invocation.print_document({"session": session.id, "title": session.title})
        else:
            click.echo(printable(f"Session {session.id} is now called: {session.title}"))


@command.command("export")
@_ID
@_JSON
@runs
async def export_session(invocation: Invocation, *, session_id: str) -> None:
    """Print a whole session as Markdown, or as one JSON document with --json."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.channels.discretion import masked  # noqa: PLC0415 - likewise
    from noctule.cli.sessions.export import markdown  # noqa: PLC0415 - likewise
    from noctule.cli.sessions.session_documents import session_document  # noqa: PLC0415 - likewise
    from noctule.core.base.printable import spelt_out  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        view = await _view(records, session_id)
        if invocation.as_json:
            invocation.print_document(session_document(view, records.zone))
        else:
            click.echo(spelt_out(masked(markdown(view, records.zone))))


@command.command("delete")
@_ID
@click.option("--yes", is_flag=True, help="Do not ask.")
@_JSON
@runs
async def delete_session(invocation: Invocation, *, session_id: str, yes: bool) -> None:
    """Delete a finished session for good: its messages, steps and files.

    What it cost stays in the ledger.
    """
    from noctule.bootstrap import delete_session as delete  # noqa: PLC0415 - not for --help
    from noctule.bootstrap import open_records  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        async with records.database.read() as work:
            session = await work.sessions.get(session_id)
        if not yes and not invocation.as_json:
            click.confirm(f"Delete {session.title or session.id} for good?", abort=True)
        await delete(records, session.id)
        if invocation.as_json:
            invocation.print_document({"deleted": session.id})
        else:
            click.echo(f"Deleted session {session.id}.")


@command.group("grants", invoke_without_command=True)
@_JSON
@click.pass_context
def grants(context: click.Context) -> None:
    """List what is allowed beyond the configuration, by an answer or by --allow."""
    if context.invoked_subcommand is None:
        _list_grants()


@runs
async def _list_grants(invocation: Invocation) -> None:
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.grants import list_grants  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await list_grants(invocation, records)


@grants.command("revoke")
@click.argument("grant_id", metavar="ID")
@_JSON
@runs
async def revoke_grant(invocation: Invocation, *, grant_id: str) -> None:
    """Revoke a grant; calls already running are not stopped."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.sessions.grants import revoke  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        await revoke(invocation, records, grant_id)
