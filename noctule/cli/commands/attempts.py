"""``noctule attempts``: the routing log, every request to a model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import click

from noctule.cli.frame.completed import SESSION
from noctule.cli.frame.invocation import Invocation, runs
from noctule.cli.frame.tables import MOST_ROWS
from noctule.cli.frame.tell import tell

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.cli.json_types.turns import AttemptDocument
    from noctule.core.llm.attempts import Attempt

_SHOWN = 50


@click.command("attempts")
@click.option("--limit", type=click.IntRange(1, MOST_ROWS), help="How many to show, newest first.")
@click.option("--session", type=SESSION, metavar="ID", help="Only this session.")
@click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON list; all rows by default."
)
@runs
async def command(invocation: Invocation, *, limit: int | None, session: str | None) -> None:
    """Show every request to a model, newest first: which model, with what result, at what cost.

    The table shows at most 50 rows unless you set --limit.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help

    async with open_records(invocation.load()) as records:
        most = limit if invocation.as_json or limit is not None else _SHOWN + 1
        async with records.database.read() as work:
            session_id = None if session is None else (await work.sessions.get(session)).id
            attempts = await work.attempts.list(session_id=session_id, limit=most)
        if invocation.as_json:
            invocation.print_document([attempt_document(a, records) for a in attempts])
        elif not attempts:
            click.echo("No attempts yet. `noctule chat` makes the first one.")
        else:
            shown = attempts[: limit or _SHOWN]
            _print(shown, records)
            if len(attempts) > len(shown):
                tell(f"Showing the newest {_SHOWN}; use --limit N for more, --json for all.")


def attempt_document(attempt: "Attempt", records: "Records") -> "AttemptDocument":
    """Return an attempt as JSON values, its time in the configured zone."""
    there = replace(attempt, started_at=attempt.started_at.astimezone(records.zone))
    return cast("AttemptDocument", there.as_json())


def _print(attempts: Sequence["Attempt"], records: "Records") -> None:
    from noctule.cli.frame.moments import show  # noqa: PLC0415 - not for --json
    from noctule.cli.frame.tables import CellFit, Column, print_table  # noqa: PLC0415 - likewise
    from noctule.core.base.money import show_usd  # noqa: PLC0415 - likewise
    from noctule.core.base.short_ids import short_id  # noqa: PLC0415 - likewise
    from noctule.core.times.durations import show_duration  # noqa: PLC0415 - likewise

    now = records.clock.now()
    columns = (
        Column("time", rank=1),
        Column("turn", rank=0),
        Column("role", rank=6),
        Column("model", CellFit.SHORTEN, rank=2),
        Column("outcome", rank=0),
        Column("wait", rank=8, is_number=True),
        Column("took", rank=5, is_number=True),
        Column("tokens", rank=7, is_number=True),
        Column("cost", rank=4, is_number=True),
        Column("", CellFit.BELOW, rank=9),
    )
    print_table(
        columns,
        [
            (
                show(attempt.started_at, records.zone, now),
                short_id(attempt.turn_id),
                attempt.role,
                attempt.model,
                attempt.outcome.value.replace("_", " "),
                show_duration(attempt.wait_s) if attempt.wait_s >= 0.05 else "",  # noqa: PLR2004 - less would read 0.0 s
                show_duration(attempt.duration_s),
                tokens_of(attempt),
                show_usd(attempt.cost_usd),
                remark_on(attempt),
            )
            for attempt in attempts
        ],
    )


def tokens_of(attempt: "Attempt") -> str:
    """Return what was sent and received, like ``1200→340``; ``?`` where nobody counted."""
    sent, received = attempt.usage.input_tokens, attempt.usage.output_tokens
    if sent is None and received is None:
        return "?"
    return f"{'?' if sent is None else sent}→{'?' if received is None else received}"


def remark_on(attempt: "Attempt") -> str:
    """Return why it was asked at all, who was passed over, and what it said when it failed."""
    parts = [f"instead of {attempt.fallback_from}"] if attempt.fallback_from else []
    parts += [f"{skip.model} {skip.reason}" for skip in attempt.skipped]
    if attempt.message:
        parts.append(attempt.message)
    return "; ".join(parts)
