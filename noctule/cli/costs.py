"""``noctule costs``: what was spent, and what one model for everything would have cost."""

from decimal import Decimal
from typing import TYPE_CHECKING

import click

from noctule.cli.invocation import Invocation, runs

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.core.costs import CostReport, ListCost
    from noctule.core.monthly import Month


@click.command("costs")
@click.option("--baseline", metavar="MODEL", help="Compare with this model; else the dearest.")
@click.option("--monthly", is_flag=True, help="Spread what endpoints cost by the month.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)
@runs
async def command(
    invocation: Invocation, *, baseline: str | None, monthly: bool, as_csv: bool
) -> None:
    """Show what was spent by role, route, model, tier, day, session and owner.

    Beside it stands what the same tokens would have cost on one model: a comparison, nobody paid
    it. Costs that nobody knows are counted apart and never as 0.
    """
    from noctule.bootstrap import open_records, prices_of  # noqa: PLC0415 - not for --help
    from noctule.cli import cost_pages as pages  # noqa: PLC0415 - likewise
    from noctule.core.costs import dearest  # noqa: PLC0415 - likewise
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise

    if as_csv and invocation.as_json:
        raise UsageError("--csv and --json ask for two different answers. Leave one out.")
    async with open_records(invocation.load()) as records:
        models, list_cost = records.settings.models, prices_of(records.settings).list_cost
        if baseline is not None and baseline not in models:
            known = ", ".join(sorted(models))
            raise UsageError(f"There is no model {baseline!r}. Use one of: {known}.")
        compared = baseline or dearest(models, list_cost, records.clock.now())
        report, titles, month = await _report(records, compared, list_cost, monthly=monthly)
        if invocation.as_json:
            invocation.print_document(pages.document(report, titles, month, records.zone))
        elif as_csv:
            from noctule.cli.cost_csv import csv_text  # noqa: PLC0415 - only with --csv

            click.echo(csv_text(report, month), nl=False)
        elif not report.total.attempts and month is None:
            click.echo("Nothing spent yet. `noctule chat` makes the first call.")
        else:
            pages.print_report(report, titles, month)


async def _report(
    records: "Records", baseline: str | None, list_cost: "ListCost", *, monthly: bool
) -> "tuple[CostReport, dict[str, str], Month | None]":
    from noctule.core.costs import report_costs  # noqa: PLC0415 - not for --help
    from noctule.core.monthly import report_month  # noqa: PLC0415 - likewise

    async with records.database.read() as work:
        attempts = await work.attempts.list()
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
