"""``noctule budgets``: what may be spent, and what has been."""

from typing import TYPE_CHECKING

import click

from noctule.cli.frame.completed import SESSION
from noctule.cli.frame.invocation import Invocation, runs
from noctule.cli.frame.tell import tell

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.cli.json_types.budgets import BudgetDocument
    from noctule.core.budgets.corrections import Correction
    from noctule.core.reports.budget_report import BudgetLine

_JSON = click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)


@click.group("budgets", invoke_without_command=True)
@click.option("--all", "finished", is_flag=True, help="Include budgets of finished sessions.")
@_JSON
@click.pass_context
def command(context: click.Context, *, finished: bool) -> None:
    """Show every budget: spent, reserved, left, its reset, and the sessions parked on it."""
    if context.invoked_subcommand is None:
        _list(finished=finished)


@runs
async def _list(invocation: Invocation, *, finished: bool) -> None:
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.costs.allowance import read_budgets  # noqa: PLC0415 - likewise
    from noctule.cli.costs.budget_accounts import (  # noqa: PLC0415 - likewise
        account_document,
        print_accounts,
        read_accounts,
    )
    from noctule.cli.costs.budget_corrections import (  # noqa: PLC0415 - likewise
        print_corrections,
        read_corrections,
        tell_of_recovered,
    )
    from noctule.cli.costs.ends import tell_of_ends  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        lines = await read_budgets(records, finished=finished)
        corrections = await read_corrections(records)
        accounts = await read_accounts(records)
        if invocation.as_json:
            documents = [_document(line, records, corrections) for line in lines]
            documents += [account_document(line, records) for line in accounts]
            invocation.print_document(documents)
            return
        if lines:
            _print(lines, records)
            tell_of_ends(records, ("budgets.", "roles."))
            tell_of_recovered(lines)
            print_corrections(corrections, records)
        if lines and accounts:
            click.echo()
        if accounts:
            print_accounts(accounts, records)
        if not lines and not accounts:
            click.echo(
                "No budgets yet. Set one under `budgets:` in the configuration, or for one run "
                "with `noctule run --budget USD`."
            )


def _document(
    line: "BudgetLine", records: "Records", corrections: "list[Correction]"
) -> "BudgetDocument":
    from noctule.cli.costs.budget_corrections import document  # noqa: PLC0415 - not for --help
    from noctule.cli.frame.moments import iso  # noqa: PLC0415 - likewise

    tally = line.tally
    return {
        "by": "noctule",
        "name": tally.key.name,
        "of": tally.key.part or None,
        "usd": float(line.budget.usd),
        "spent_usd": float(tally.settled_usd),
        "held_usd": float(tally.held_usd),
        "left_usd": float(line.left_usd),
        "over_usd": float(tally.over_usd),
        "recovered_usd": float(tally.recovered_usd),
        "corrections": [document(one, records) for one in corrections if one.key == line.tally.key],
        "window": line.budget.window.kind.value if line.budget.window else None,
        "resets_at": iso(tally.ends_at, records.zone),
        "until": iso(line.budget.until, records.zone),
        "on_exhausted": line.budget.on_exhausted.value,
        "asleep": list(line.asleep),
    }


def _print(lines: "list[BudgetLine]", records: "Records") -> None:
    from noctule.cli.frame.tables import CellFit, Column, print_table  # noqa: PLC0415 - likewise
    from noctule.core.base.money import show_usd  # noqa: PLC0415 - likewise
    from noctule.core.base.short_ids import short_ids  # noqa: PLC0415 - not for --json

    short = short_ids([name for line in lines for name in line.asleep])
    print_table(
        (
            Column("budget", rank=0),
            Column("of", CellFit.SHORTEN, rank=4),
            Column("limit", rank=3, is_number=True),
            Column("spent", rank=1, is_number=True),
            Column("held", rank=6, is_number=True),
            Column("left", rank=0, is_number=True),
            Column("resets", rank=2),
            Column("parked on it", rank=7),
        ),
        [
            (
                line.tally.key.name,
                line.tally.key.part or "-",
                show_usd(line.budget.usd),
                show_usd(line.tally.settled_usd),
                show_usd(line.tally.held_usd),
                show_usd(line.left_usd),
                _resets(line, records),
                " ".join(short[name] for name in line.asleep) or "-",
            )
            for line in lines
        ],
    )
    for line in lines:
        if line.tally.over_usd:
            over = show_usd(line.tally.over_usd)
            tell(
                f"Budget {line.tally.key}: providers billed {over} more than calls could have "
                "cost by their prices. Correct the prices."
            )


def _resets(line: "BudgetLine", records: "Records") -> str:
    from noctule.cli.frame.moments import show  # noqa: PLC0415 - not for --json

    if line.budget.window is None:
        return "never"
    if line.budget.is_rolling:
        return "bit by bit"
    if line.tally.ends_at is None:
        return "with the next call"
    return show(line.tally.ends_at, records.zone, records.clock.now())


@command.command("raise")
@click.argument("session", type=SESSION)
@click.argument("usd")
@_JSON
@runs
async def raise_(invocation: Invocation, *, session: str, usd: str) -> None:
    """Let a SESSION spend USD in total; if it waits for that, it continues.

    Budgets of the configuration are raised there; sessions parked on them continue at the next
    start.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.input.amounts import parse_usd  # noqa: PLC0415 - likewise

    amount = parse_usd(usd)
    async with open_records(invocation.load()) as records:
        raised = await records.service.set_budget(session, amount)
        if invocation.as_json:
            invocation.print_document({"session": raised.id, "budget_usd": float(amount)})
        else:
            click.echo(f"Session {raised.id} may now spend ${amount:f} in total.")
            await _tell_who_continues(records, raised.id)


@command.command("forgive")
@click.argument("name", required=False)
@click.option("--why", required=True, metavar="TEXT", help="The reason, kept on record.")
@_JSON
@runs
async def forgive(invocation: Invocation, *, name: str | None, why: str) -> None:
    """Remove what counts for calls whose process died.

    Such a call counts with the most it can have cost, because its real cost is unknown. NAME is a
    budget or a session with one; without it, all of them. What providers reported stays. Sessions
    parked on it resume.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.costs.budget_corrections import document, forgive_named  # noqa: PLC0415 - likewise
    from noctule.core.base.money import show_usd  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        corrections, woken = await forgive_named(records, name, why)
        if invocation.as_json:
            documents = [document(one, records) for one in corrections]
            invocation.print_document({"corrections": documents, "woken": woken})
            return
        for one in corrections:
            calls = "1 call" if one.calls == 1 else f"{one.calls} calls"
            click.echo(f"Budget {one.key}: {show_usd(one.usd)} for {calls} no longer counts.")
        if not corrections:
            click.echo("No budget counts calls of processes that died.")
        if woken:
            click.echo(f"Parked sessions that resume while `noctule serve` runs: {woken}.")


async def _tell_who_continues(records: "Records", session_id: str) -> None:
    """Say who carries on with a session that can, so that nobody waits for nobody."""
    from noctule.cli.sessions.orders import worker_of  # noqa: PLC0415 - not for --help

    async with records.database.read() as work:
        if await work.turns.oldest_unfinished(session_id) is None:
            return
    if records.settings.storage.is_postgres or worker_of(records) is not None:
        click.echo("It continues now.")
    else:
        click.echo(
            "No worker is running: start `noctule serve`, or continue it here with "
            f"`noctule sessions resume {session_id}`."
        )


@command.command("ask")
@_JSON
@runs
async def ask(invocation: Invocation) -> None:
    """Ask the providers now what is left, for endpoints with an `account`.

    Sessions parked on one with money left resume: at once while `noctule serve` runs, otherwise
    when it starts.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.costs.budget_accounts import (  # noqa: PLC0415 - likewise
        account_document,
        ask_accounts,
        print_accounts,
        read_accounts,
    )

    async with open_records(invocation.load()) as records:
        woken = await ask_accounts(records)
        lines = await read_accounts(records)
        if invocation.as_json:
            documents = [account_document(line, records) for line in lines]
            invocation.print_document({"accounts": documents, "woken": woken})
        elif lines:
            print_accounts(lines, records)
            if woken:
                click.echo(f"Parked sessions that resume while `noctule serve` runs: {woken}.")
        else:
            click.echo("No endpoint has an account. Set one with e.g. `account: openrouter`.")
