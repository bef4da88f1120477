"""``noctule costs``: what was spent, and what one model for everything would have cost."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.completed import SESSION
from noctule.cli.frame.invocation import Invocation, runs

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.core.reports.costs import CostReport, ListCost
    from noctule.core.reports.monthly import Month


@dataclass(frozen=True, slots=True)
class Period:
    """Which calls are counted.

    Args:
        since: from which moment on, aware; None means from the first.
        session: of which session, as it was typed; None means of all.
    """

    since: datetime | None = None
    session: str | None = None


@click.command("costs")
@click.option(
    "--baseline", metavar="MODEL", help="Compare with this model (default: the most expensive)."
)
@click.option("--monthly", is_flag=True, help="Include the monthly cost of endpoints.")
@click.option("--since", metavar="WHEN", help="Only from then on: today, 7d, month, 2026-11-01.")
@click.option("--session", type=SESSION, metavar="ID", help="Only this session.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)
@runs
async def command(
    invocation: Invocation,
    *,
    baseline: str | None,
    monthly: bool,
    since: str | None,
    session: str | None,
    as_csv: bool,
) -> None:
    """Show what was spent, by role, route, model, tier, day, session and owner.

    Next to it is what the same tokens would have cost on one model; this is hypothetical. Unknown
    costs are counted apart, never as 0.
    """
    from noctule.bootstrap import open_records, prices_of  # noqa: PLC0415 - not for --help
    from noctule.cli.costs import cost_pages as pages  # noqa: PLC0415 - likewise
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise
    from noctule.core.reports.costs import dearest  # noqa: PLC0415 - likewise

    if as_csv and invocation.as_json:
        raise UsageError("--csv and --json contradict each other. Use one of them.")
    async with open_records(invocation.load()) as records:
        models, list_cost = records.settings.models, prices_of(records.settings).list_cost
        if baseline is not None and baseline not in models:
            known = ", ".join(sorted(models))
            raise UsageError(f"There is no model {baseline!r}. Use one of: {known}.")
        compared = baseline or dearest(models, list_cost, records.clock.now())
        period = Period(since_moment(since, records), session)
        report, titles, month = await _report(records, compared, list_cost, period, monthly=monthly)
        if invocation.as_json:
            invocation.print_document(pages.document(report, titles, month, records.zone))
        elif as_csv:
            from noctule.cli.costs.cost_csv import csv_text  # noqa: PLC0415 - only with --csv

            click.echo(csv_text(report, month), nl=False)
        elif not report.total.attempts and month is None:
            narrowed = since is not None or session is not None
            nothing = "No calls in this selection." if narrowed else None
            click.echo(nothing or "Nothing spent yet. `noctule chat` makes the first call.")
        else:
            pages.print_report(report, titles, month)


async def _report(
    records: "Records",
    baseline: str | None,
    list_cost: "ListCost",
    period: Period,
    *,
    monthly: bool,
) -> "tuple[CostReport, dict[str, str], Month | None]":
    from noctule.core.reports.costs import report_costs  # noqa: PLC0415 - not for --help
    from noctule.core.reports.monthly import report_month  # noqa: PLC0415 - likewise

    async with records.database.read() as work:
        of = None if period.session is None else (await work.sessions.get(period.session)).id
        attempts = await work.attempts.list(session_id=of, since=period.since)
        turns = list({attempt.turn_id for attempt in attempts if attempt.turn_id is not None})
        routes = await work.routes.of_turns(turns)
        standings = await work.turns.standings()
        sessions = {session.id: session for session in await work.sessions.list()}
    report = report_costs(
        attempts,
        routes=routes,
        sessions=sessions,
        zone=records.zone,
        baseline=baseline,
        list_cost=list_cost,
        standings=standings,
    )
    titles = {name: session.title or "" for name, session in sessions.items()}
    if not monthly:
        return report, titles, None
    fixed = {
        name: endpoint.monthly_usd
        for name, endpoint in records.settings.endpoints.items()
        if endpoint.monthly_usd is not None and endpoint.monthly_usd > Decimal(0)
    }
    now = records.clock.now()
    return (
        report,
        titles,
        report_month(attempts, fixed, now=now, baseline=baseline, list_cost=list_cost),
    )


def since_moment(text: str | None, records: "Records") -> datetime | None:
    """Return the moment that ``--since`` names, in the person's zone; None for None.

    Raises:
        UsageError: it names none.
    """
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise
    from noctule.core.times.durations import parse_duration  # noqa: PLC0415 - only with --since

    if text is None:
        return None
    now = records.clock.now().astimezone(records.zone)
    midnight = datetime.combine(now.date(), time(), now.tzinfo)
    starts = {
        "today": midnight,
        "week": midnight - timedelta(days=now.weekday()),
        "month": midnight.replace(day=1),
    }
    if text in starts:
        return starts[text]
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--since {text!r} is not a time. Write today, week, month, a duration (7d, 12h) or a "
            "date (2026-11-01)."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=records.zone)
