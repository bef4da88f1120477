"""``noctule run``: background work, followed here or left to ``noctule serve``."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.completed import MODEL, SESSION
from noctule.cli.frame.examples import examples
from noctule.cli.frame.invocation import Invocation, runs
from noctule.cli.frame.tell import tell
from noctule.cli.input.handed_files import file_option, image_option, with_files
from noctule.cli.input.last_session import continue_option, last_session
from noctule.cli.input.tool_options import allow_option, folder_of, rules_of, workspace_option
from noctule.core.base.roles import ANSWERING
from noctule.core.errors import UsageError
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind, Turn
from noctule.core.settings.role import OnLimit

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.channels.terminal.screens.screen import Screen
    from noctule.channels.terminal.vigil import Vigil
    from noctule.sessions.service.service import Request
    from noctule.sessions.workers.lock import Holder


@dataclass(frozen=True, slots=True)
class _Submitted:
    """A turn on its way.

    Args:
        turn: as it was stored.
        after: the last event of its session before it.
        holder: who works on the data folder; None when nobody is known to.
    """

    turn: Turn
    after: int
    holder: "Holder | None"

    @property
    def worker(self) -> "Holder | None":
        """The worker that does it; None when there is none."""
        return self.holder if self.holder is not None and self.holder.is_worker else None


@click.command(
    "run",
    epilog=examples(
        'noctule run "Fix the failing test" --workspace ~/project',
        'noctule run --at "tomorrow 6:00" --budget 2 "Write the weekly report"',
        "noctule run --detach - < task.md",
        'noctule run --wait "Sort the inbox" && make publish',
    ),
)
@click.argument("text", required=False)
@click.option(
    "--role",
    type=click.Choice([role.value for role in ANSWERING], case_sensitive=False),
    help="Role that answers (default: chosen by the router).",
)
@click.option(
    "--model", type=MODEL, metavar="NAME", help="Model that answers, by its configured name."
)
@click.option(
    "--session", type=SESSION, metavar="ID", help="Continue this session; `last` is the newest."
)
@continue_option
@click.option("--private", is_flag=True, help="Use local models only.")
@click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)
@click.option(
    "--wait", "waits", is_flag=True, help="Wait until the task has ended, even while it is parked."
)
@click.option("--detach", is_flag=True, help="Print the session's id and return.")
@click.option(
    "--at", metavar="TIME", help="Start then: 23:30, 9am, tomorrow 9:00, +2h, 2026-12-01T08:00."
)
@click.option(
    "--on-limit",
    type=click.Choice([choice.value for choice in OnLimit], case_sensitive=False),
    help="At a limit, keep the model and wait (park) or use the next one (fallback).",
)
@click.option(
    "--budget",
    metavar="USD",
    help="Maximum total spend for the session; it pauses and asks you when reached.",
)
@file_option
@image_option
@allow_option
@click.option("--no-questions", is_flag=True, help="Do not ask in advance what to allow.")
@workspace_option
@runs
async def command(  # noqa: PLR0913 - the contract's options
    invocation: Invocation,
    *,
    text: str | None,
    role: str | None,
    model: str | None,
    session: str | None,
    continues: bool,
    private: bool,
    waits: bool,
    detach: bool,
    at: str | None,
    on_limit: str | None,
    budget: str | None,
    files: tuple[Path, ...],
    images: tuple[Path, ...],
    allow: tuple[str, ...],
    no_questions: bool,
    workspace: str | None,
) -> int:
    """Start a background task and follow its progress.

    `noctule serve` works on it if it is running; otherwise this command does, until the task ends
    or pauses: 0 done, 75 parked or waiting, 1 failed. Ctrl-C stops following, not the task. Agents
    ask their questions in the terminal; without one the session waits until you use `noctule
    sessions answer`. Text piped to standard input is added after TEXT; to send it alone, leave
    TEXT out or use -.

    With --wait it follows until the task has ended, for days if need be: it waits through limits,
    wakes the session itself if no `noctule serve` is running, and shows questions until you answer
    them, here or on your phone.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.costs.allowance import allowance  # noqa: PLC0415 - likewise
    from noctule.cli.input.amounts import parse_usd  # noqa: PLC0415 - likewise
    from noctule.cli.input.foresight import with_foreseen  # noqa: PLC0415 - likewise
    from noctule.cli.input.message import read_message  # noqa: PLC0415 - likewise
    from noctule.sessions.service.service import Request  # noqa: PLC0415 - likewise

    loaded = invocation.load()
    message = read_message(text, most_bytes=loaded.settings.limits.max_message_bytes)
    if message is None:
        raise UsageError("No task given. Usage: noctule run TEXT.")
    if waits and detach:
        raise UsageError("--wait and --detach contradict each other. Use one of them.")
    async with open_records(loaded) as records:
        if continues:
            session = await last_session(records, session, "run")
        request = Request(
            text=message,
            kind=SessionKind.RUN,
            session_id=session,
            role=role,
            model=model,
            private=private,
            on_limit=OnLimit(on_limit) if on_limit else None,
            not_before=_moment(at, records),
            budget_usd=parse_usd(budget) if budget is not None else None,
            allow=rules_of(allow),
            workspace=folder_of(workspace),
        )
        request = await with_foreseen(
            records,
            request,
            as_json=invocation.as_json,
            asks=not no_questions,
            stays=not detach and request.not_before is None,
        )
        request = await with_files(records, request, files, images)
        submitted = await _submit(records, request)
        allowed = await allowance(records, submitted.turn.session_id)
        if allowed is not None:
            tell(allowed)
        if detach:
            return _tell_detached(invocation, submitted, records)
        return await _follow(invocation, records, submitted, waits=waits)


def _moment(at: str | None, records: "Records") -> datetime | None:
    from noctule.core.times.times_of_day import parse_moment  # noqa: PLC0415 - only with --at

    if at is None:
        return None
    try:
        return parse_moment(at, now=records.clock.now(), zone=records.zone)
    except ValueError as error:
        raise UsageError(
            f"--at {error}. Write a time of day (23:30, 9am), a day and a time (tomorrow 9:00, "
            "monday 8:00), a duration from now (+2h, in 90 minutes) or a moment "
            "(2026-12-01T08:00, with +01:00 or Europe/Berlin for another zone)."
        ) from None


async def _submit(records: "Records", request: "Request") -> _Submitted:
    from noctule.sessions.workers.lock import WorkerLock  # noqa: PLC0415 - not for --help

    after = 0
    if request.session_id is not None:
        async with records.database.read() as work:
            session = await work.sessions.get(request.session_id)
            after = await work.events.last_seq(session.id)
    turn = await records.service.submit(request)
    return _Submitted(turn, after, WorkerLock(records.home, records.clock).worker())


def _tell_detached(invocation: Invocation, submitted: _Submitted, records: "Records") -> int:
    turn = submitted.turn
    if invocation.as_json:
        wake_at = turn.wake_at.astimezone(records.zone).isoformat() if turn.wake_at else None
        invocation.print_document(
            {
                "session": turn.session_id,
                "turn": turn.id,
                "status": turn.status.value,
                "wake_at": wake_at,
            }
        )
    else:
        click.echo(turn.session_id)
    tell(_where(submitted, records, here=False))
    return 0


async def _follow(
    invocation: Invocation, records: "Records", submitted: _Submitted, *, waits: bool
) -> int:
    from noctule.bootstrap import open_runtime, run_reports  # noqa: PLC0415 - loads the graph
    from noctule.channels.terminal.asking import open_asking  # noqa: PLC0415 - only when shown
    from noctule.channels.terminal.follow import Follow  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.footer import footer  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.screens.screens import open_screen  # noqa: PLC0415 - likewise
    from noctule.cli.frame.documents import turn_document  # noqa: PLC0415 - likewise

    screen = None if invocation.as_json else open_screen()
    if screen is not None:
        screen.note(_where(submitted, records, here=True))
        records.database.patience.tells(screen.note)
    async with open_runtime(records) as runtime:
        asking = open_asking(records.service, screen)
        vigil = _vigil(records, screen) if waits else None
        follow = Follow(runtime, screen, what="run", asking=asking, vigil=vigil)
        said = await follow.follow(submitted.turn, after=submitted.after)
    report = await run_reports(records).of(said.turn) if said.turn.status.finished else None
    if said.turn.status is Status.RUNNING:
        sentence: str | None = _goes_on(submitted)
    else:
        sentence = said.sentence(records.settings, records.zone)
    if sentence is not None:
        tell(sentence)
    if screen is None:
        told = None if report is None else report.as_json(records.zone)
        invocation.print_document({**turn_document(said, sentence), "report": told})
        return said.exit_code
    if records.settings.footer and (line := footer(said)) is not None:
        screen.note(line)
    if report is not None:
        screen.note(report.sentence(records.zone))
    return said.exit_code


def _vigil(records: "Records", screen: "Screen | None") -> "Vigil":
    from noctule.channels.terminal.vigil import Vigil  # noqa: PLC0415 - only with --wait
    from noctule.sessions.workers.lock import WorkerLock  # noqa: PLC0415 - likewise

    return Vigil(
        database=records.database,
        lock=WorkerLock(records.home, records.clock),
        clock=records.clock,
        zone=records.zone,
        screen=screen,
    )


def _where(submitted: _Submitted, records: "Records", *, here: bool) -> str:
    turn, worker = submitted.turn, submitted.worker
    if turn.wake_at is not None:
        begins = turn.wake_at.astimezone(records.zone).strftime("%Y-%m-%d %H:%M:%S %Z")
        where = f"starts at {begins} if `noctule serve` is running"
    elif records.settings.storage.is_postgres:
        where = "a worker on the database or this command works on it, whichever is first"
        where = where if here else "waits for a worker on the database"
    elif worker is not None:
        where = f"`noctule {worker.what}` (process {worker.pid}) works on it"
    elif here and submitted.holder is not None:
        where = "queued; this command works on it when its turn comes"
    elif here:
        where = "this command works on it, because no `noctule serve` is running here"
    elif submitted.holder is not None and submitted.holder.stopping:
        where = "waits for the next `noctule serve`: the one here is stopping"
    else:
        where = "waits for `noctule serve`: none is running here"
    return f"Session {turn.session_id}: {where}. {_come_back(turn)}"


def _goes_on(submitted: _Submitted) -> str:
    who = submitted.worker.what if submitted.worker else "serve"
    return f"Detached; `noctule {who}` continues it. {_come_back(submitted.turn)}"


def _come_back(turn: Turn) -> str:
    return f"Follow it with `noctule sessions log {turn.session_id} --follow`."
