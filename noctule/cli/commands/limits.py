"""``noctule limits``: what is refused until when, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.invocation import Invocation, runs
from noctule.cli.frame.tell import tell

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.cli.json_types.budgets import LimitDocument
    from noctule.core.llm.limits import Limit

_JSON = click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)


@click.group("limits", invoke_without_command=True)
@_JSON
@click.pass_context
def command(context: click.Context) -> None:
    """Show active rate limits and outages: until when, and how that is known."""
    if context.invoked_subcommand is None:
        _list()


@runs
async def _list(invocation: Invocation) -> None:
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.costs.ends import tell_of_ends  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        async with records.database.read() as work:
            stored = await work.limits.list()
        now = records.clock.now()
        limits = [limit for limit in stored if limit.stands(now)]
        if invocation.as_json:
            invocation.print_document([_document(limit, records) for limit in limits])
        elif limits:
            _print(limits, records)
        else:
            click.echo("No active rate limits.")
        if not invocation.as_json:
            tell_of_ends(records, ("endpoints.",))


def _document(limit: "Limit", records: "Records") -> "LimitDocument":
    from noctule.cli.frame.moments import iso  # noqa: PLC0415 - not for --help

    return {
        "endpoint": limit.key.endpoint,
        "model": limit.key.model,
        "until": iso(limit.not_before, records.zone),
        "evidence": limit.evidence,
        "reason": limit.reason,
        "outcome": limit.outcome.value,
        "windows": limit.windows,
        "guesses": limit.guesses,
        "outage": limit.is_outage,
        "left_alone_until": iso(limit.left_alone_until, records.zone),
        "since": iso(limit.set_at, records.zone),
        "key": limit.key.key_fingerprint,
    }


def _print(limits: Sequence["Limit"], records: "Records") -> None:
    from noctule.cli.frame.moments import show  # noqa: PLC0415 - not for --json
    from noctule.cli.frame.tables import CellFit, Column, print_table  # noqa: PLC0415 - likewise

    now = records.clock.now()
    print_table(
        (
            Column("endpoint", CellFit.SHORTEN, rank=0),
            Column("model", CellFit.SHORTEN, rank=2),
            Column("until", rank=0),
            Column("source", rank=3),
            Column("reason", CellFit.BELOW, rank=4),
        ),
        [
            (
                limit.key.endpoint,
                limit.key.model or "all of its key",
                "you act"
                if limit.not_before is None
                else show(limit.not_before, records.zone, now),
                limit.evidence.value if limit.evidence else "-",
                f"no answer: {limit.reason}" if limit.is_outage else limit.reason,
            )
            for limit in limits
        ],
    )
    tell("Clear them with `noctule limits clear`; the next call asks again.")


@command.command("clear")
@click.argument("endpoint", required=False)
@click.option(
    "--all", "everything", is_flag=True, help="Clear every endpoint (the default without ENDPOINT)."
)
@_JSON
@runs
async def clear(invocation: Invocation, *, endpoint: str | None, everything: bool) -> None:
    """Clear the rate limits of one ENDPOINT or all, so that the next call asks again.

    Sessions parked on them resume: at once while `noctule serve` runs, otherwise when it starts.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise

    if endpoint is not None and everything:
        raise UsageError("--all and an endpoint contradict each other. Use one of them.")
    async with open_records(invocation.load()) as records:
        if endpoint is not None:
            await _check_known(records, endpoint)
        count = await records.service.clear_limits(endpoint)
    if invocation.as_json:
        invocation.print_document({"cleared": count})
    elif count:
        limits = "1 limit" if count == 1 else f"{count} limits"
        click.echo(f"Cleared {limits}. Parked sessions resume while `noctule serve` runs.")
    else:
        click.echo("No rate limits to clear.")


async def _check_known(records: "Records", endpoint: str) -> None:
    from noctule.core.errors import UsageError  # noqa: PLC0415 - not for --help

    async with records.database.read() as work:
        refusing = {limit.key.endpoint for limit in await work.limits.list()}
    known = {*records.settings.endpoints, *refusing}
    if endpoint not in known:
        names = ", ".join(sorted(known))
        raise UsageError(f"There is no endpoint {endpoint!r}. Use one of: {names}.")
