"""The table of ``noctule sessions``: which there are, narrowed to those that are wanted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.invocation import Invocation
from noctule.cli.frame.moments import show
from noctule.cli.frame.tables import CellFit, Column, print_table
from noctule.cli.frame.tell import tell
from noctule.cli.sessions.orders import worker_of
from noctule.cli.sessions.session_documents import overview_document
from noctule.core.base.money import show_usd
from noctule.core.base.short_ids import short_ids
from noctule.core.llm.spending import total_usd
from noctule.core.reports.overview import Overview, standing_turn
from noctule.core.sessions.lifecycle import Status

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.core.ports.database import UnitOfWork
    from noctule.core.sessions.sessions import Session, Turn

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions are listed.

    Args:
        status: only in one of these states; () means in any.
        search: only those whose title or messages contain it; None means all.
        limit: how many at most; None means 50 in a table, all in JSON.
    """

    status: tuple[str, ...]
    search: str | None
    limit: int | None


async def list_sessions(invocation: Invocation, records: "Records", wanted: SessionFilter) -> None:
    """Print the sessions that are wanted, newest first."""
    shown = wanted.limit or (None if invocation.as_json else _SHOWN)
    narrowed = bool(wanted.status or wanted.search)
    most = None if shown is None or narrowed else shown + 1
    async with records.database.read() as work:
        sessions = await work.sessions.list(limit=most)
        overviews = await _fitting(work, sessions, wanted, shown)
        asks = Counter(question.session_id for question in await work.questions.open())
    if invocation.as_json:
        invocation.print_document(
            [
                overview_document(overview, records.zone, questions=asks[overview.session.id])
                for overview in overviews[:shown]
            ]
        )
    elif not overviews:
        nothing = (
            "No matching session." if narrowed else "No sessions yet. `noctule chat` starts one."
        )
        click.echo(nothing)
    else:
        _print(overviews[:shown], [session.id for session in sessions], asks, records)
        if shown is not None and len(overviews) > shown:
            tell(f"Showing the newest {shown}; use --limit N for more.")
        _tell_of_nobody(overviews, records)


async def _fitting(
    work: "UnitOfWork", sessions: Sequence["Session"], wanted: SessionFilter, shown: int | None
) -> list[Overview]:
    """Return the sessions that fit, one more than are shown at most."""
    found: list[Overview] = []
    for session in sessions:
        if shown is not None and len(found) > shown:
            break
        turns = await work.turns.of_session(session.id)
        if wanted.search is not None and not _mentions(wanted.search, session, turns):
            continue
        overview = await overview_of(work, session, turns)
        standing = None if overview.status is None else overview.status.value
        if not wanted.status or standing in wanted.status:
            found.append(overview)
    return found


def _mentions(text: str, session: "Session", turns: Sequence["Turn"]) -> bool:
    words = [session.title or "", *(f"{turn.text}\n{turn.reply or ''}" for turn in turns)]
    return any(text.casefold() in each.casefold() for each in words)


def _tell_of_nobody(overviews: Sequence[Overview], records: "Records") -> None:
    """Say that what is under way stands still, and that what sleeps does not wake by itself."""
    running = [each.session.id for each in overviews if each.status is Status.RUNNING]
    asleep = any(each.wake_at is not None for each in overviews)
    if not (running or asleep) or records.settings.storage.is_postgres:
        return  # on PostgreSQL workers of other data folders may be at it
    if worker_of(records) is not None:
        return
    if asleep:
        tell("Parked sessions will not wake: no worker is running. Start `noctule serve`.")
    if running:
        tell(
            "A session was interrupted: its process ended. Resume it with `noctule serve` or "
            f"`noctule sessions resume {running[0]}`."
        )


async def overview_of(work: "UnitOfWork", session: "Session", turns: Sequence["Turn"]) -> Overview:
    """Return a session at a glance, with what it has cost."""
    attempts = await work.attempts.list(session_id=session.id)
    return Overview(session, standing_turn(turns), len(turns), total_usd(attempts))


def _print(
    overviews: Sequence[Overview],
    ids: Sequence[str],
    asks: Mapping[str, int],
    records: "Records",
) -> None:

    short, now = short_ids(ids), records.clock.now()
    print_table(
        (
            Column("id", rank=0),
            Column("started", rank=4),
            Column("status", rank=0),
            Column("wakes", rank=2),
            Column("turns", rank=5, is_number=True),
            Column("cost", rank=3, is_number=True),
            Column("title", CellFit.SHORTEN, rank=1),
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


def _status(overview: Overview, questions: int) -> str:
    status = "empty" if overview.status is None else overview.status.value
    return f"{status}, asks you" if questions else status
