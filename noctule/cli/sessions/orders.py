"""Orders for a session: resume, cancel, park; carried out here when no worker is alive."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.invocation import Invocation
from noctule.cli.frame.tell import tell
from noctule.cli.json_types.sessions import OrdersDocument
from noctule.core.reports.overview import is_resting
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.sessions.workers.lock import Holder, WorkerLock

if TYPE_CHECKING:
    from noctule.bootstrap import Records

_WORKERS = frozenset({"serve", "worker"})
_HEARD_WITHIN_SECONDS = 10.0
_ASLEEP = 75


async def resume(
    invocation: Invocation, records: "Records", session_id: str, model: str | None
) -> int:
    """Let a session go on, with the worker that is alive or here.

    What is under way needs no order: it is followed where somebody works on it, and worked off
    here where its process was killed.

    Raises:
        NotFoundError: there is no such session.
        UsageError: there is nothing to resume, or no such model.
    """
    async with records.database.read() as work:
        session = await work.sessions.get(session_id)
        after = await work.events.last_seq(session.id)
        turn = await work.turns.oldest_unfinished(session.id)
    if turn is None or model is not None or is_resting(turn, records.clock.now()):
        turn = await records.service.resume(session.id, model)
    return await go_on(invocation, records, turn, after, what="sessions resume")


async def go_on(
    invocation: Invocation, records: "Records", turn: Turn, after: int, *, what: str
) -> int:
    """Go on with a turn that is due, with the worker that is alive or here.

    Args:
        invocation: how it is told.
        records: where it is kept.
        turn: due.
        after: the last event of its session that was seen.
        what: the command, for whoever asks who works on the data folder.
    """
    holder = worker_of(records)
    if holder is None or holder.what not in _WORKERS:
        return await _go_on_here(invocation, records, turn, after, what)
    said = f"`noctule {holder.what}` (process {holder.pid}) continues it. "
    said += f"Follow it with `noctule sessions log {turn.session_id} --follow`."
    if invocation.as_json:
        await _print_turn(invocation, records, turn, said)
    else:
        click.echo(said)
    return 0


async def cancel(invocation: Invocation, records: "Records", session_id: str) -> None:
    """End every unfinished turn of a session.

    Raises:
        NotFoundError: there is no such session.
    """
    async with records.database.read() as work:
        session = await work.sessions.get(session_id)
    ordered = await records.service.cancel(session.id)
    turns = await _carried_out(records, ordered, Status.CANCELLED)
    if invocation.as_json:
        invocation.print_document(_orders_document(session.id, turns))
    elif not turns:
        click.echo("Nothing to cancel: every turn of this session has finished.")
    else:
        for turn in turns:
            click.echo(_told(turn, Status.CANCELLED))


async def park(invocation: Invocation, records: "Records", session_id: str) -> None:
    """Put the running turn of a session to sleep.

    Raises:
        NotFoundError: there is no such session.
        UsageError: nothing of it runs.
    """
    turn = await records.service.park(session_id)
    (turn,) = await _carried_out(records, [turn], Status.PARKED)
    if invocation.as_json:
        invocation.print_document(_orders_document(turn.session_id, [turn]))
    else:
        click.echo(_told(turn, Status.PARKED))


async def _go_on_here(
    invocation: Invocation, records: "Records", turn: Turn, after: int, what: str
) -> int:
    from noctule.bootstrap import open_runtime, run_reports  # noqa: PLC0415 - loads the graph
    from noctule.channels.terminal.asking import open_asking  # noqa: PLC0415 - only when shown
    from noctule.channels.terminal.follow import Follow  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.screens.screens import open_screen  # noqa: PLC0415 - likewise

    screen = None if invocation.as_json else open_screen()
    async with open_runtime(records) as runtime:
        asking = open_asking(records.service, screen)
        follow = Follow(runtime, screen, what=what, tell_route=False, asking=asking)
        said = await follow.follow(turn, after=after)
    sentence = said.sentence(records.settings, records.zone)
    if sentence is not None:
        tell(sentence)
    if invocation.as_json:
        await _print_turn(invocation, records, turn, sentence)
    elif said.turn.status.finished:
        report = await run_reports(records).of(said.turn)
        tell(report.sentence(records.zone))
    return said.exit_code


async def _print_turn(
    invocation: Invocation, records: "Records", turn: Turn, sentence: str | None
) -> None:
    from noctule.channels.terminal.turn_result import TurnResult  # noqa: PLC0415 - only with --json
    from noctule.cli.frame.documents import turn_document  # noqa: PLC0415 - likewise

    said = await TurnResult.read(records.database, turn.id)
    invocation.print_document(turn_document(said, sentence))


async def _carried_out(records: "Records", ordered: Sequence[Turn], wanted: Status) -> list[Turn]:
    """Wait until whoever works on ordered turns has heard; where nobody does, do it here."""
    running = [turn for turn in ordered if turn.status is Status.RUNNING]
    if running and worker_of(records) is None:
        from noctule.bootstrap import open_runtime  # noqa: PLC0415 - loads the graph

        async with open_runtime(records) as runtime:  # it ran when its process was killed
            await runtime.driver.until_rest(running[0], what="sessions")
    return await _heard(records, ordered, wanted)


async def _heard(records: "Records", ordered: Sequence[Turn], wanted: Status) -> list[Turn]:
    turns: list[Turn] = list(ordered)
    try:
        async with (
            asyncio.timeout(_HEARD_WITHIN_SECONDS),
            aclosing(records.database.changes()) as changes,
        ):
            async for _ in changes:
                async with records.database.read() as work:
                    turns = [await work.turns.get(turn.id) for turn in ordered]
                if all(turn.status is wanted or turn.status.finished for turn in turns):
                    break
    except TimeoutError:
        pass  # the order stands; it is carried out when the worker comes to it
    return turns


def worker_of(records: "Records") -> Holder | None:
    """Return who works on the data folder; None when nobody does."""
    lock = WorkerLock(records.home, records.clock)
    if lock.take("sessions"):
        lock.release()
        return None
    return lock.holder()


def _told(turn: Turn, wanted: Status) -> str:
    if turn.status is wanted:
        then = f" Resume it with `noctule sessions resume {turn.session_id}`."
        return (
            f"{turn.status.value.capitalize()}: {_title(turn)}.{then * (wanted is Status.PARKED)}"
        )
    if turn.status.finished:
        return f"It had already ended ({turn.status.value}): {_title(turn)}."
    return f"Requested; the worker has not picked it up yet ({turn.status.value}): {_title(turn)}."


def _title(turn: Turn) -> str:
    from noctule.sessions.service.service import title_of  # noqa: PLC0415 - only for people

    return title_of(turn.text)


def _orders_document(session_id: str, turns: Sequence[Turn]) -> OrdersDocument:
    return {
        "session": session_id,
        "turns": [{"id": turn.id, "status": turn.status.value} for turn in turns],
    }
