"""What was counted for calls that died: shown, taken back, and kept on record."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.cli.json_types.budgets import CorrectionDocument
    from noctule.core.budgets.corrections import Correction
    from noctule.core.reports.budget_report import BudgetLine

_MOST_SHOWN = 5


async def read_corrections(records: "Records") -> "list[Correction]":
    """Return what was taken back from budgets, oldest first."""
    async with records.database.read() as work:
        return await work.budgets.corrections()


async def forgive_named(
    records: "Records", name: str | None, why: str
) -> "tuple[list[Correction], int]":
    """Take back what counts for calls that died; returns it, and how many branches go on.

    Args:
        records: where budgets are kept.
        name: a budget, or the session of one; None means all.
        why: the reason.

    Raises:
        UsageError: no reason was given, or no budget is called so.
    """
    from noctule.cli.costs.allowance import read_budgets  # noqa: PLC0415 - only when asked
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise
    from noctule.sessions.service.corrections import forgive  # noqa: PLC0415 - likewise

    why = " ".join(why.split())
    if not why:
        raise UsageError("--why is empty. Write the reason; it is kept on record.")
    budgets = [line.budget for line in await read_budgets(records)]
    if name is not None:
        budgets = [one for one in budgets if name in {one.key.name, one.key.id, str(one.key)}] or [
            one for one in budgets if one.key.part and one.key.part.endswith(name)
        ]
        if not budgets:
            raise UsageError(f"There is no budget {name}. `noctule budgets` lists them.")
    return await forgive(records.database, budgets, why, records.clock)


def document(correction: "Correction", records: "Records") -> "CorrectionDocument":
    """Return a correction for programs."""
    from noctule.cli.frame.moments import iso  # noqa: PLC0415 - not for --help

    return {
        "id": correction.id,
        "budget": correction.key.name,
        "of": correction.key.part or None,
        "usd": float(correction.usd),
        "calls": correction.calls,
        "why": correction.why,
        "at": iso(correction.at, records.zone),
    }


def tell_of_recovered(lines: "Sequence[BudgetLine]") -> None:
    """Say how much of what is spent is only what calls that died can have cost at most."""
    from noctule.core.base.money import show_usd  # noqa: PLC0415 - not for --json

    for line in lines:
        if line.tally.recovered_usd:
            click.echo(
                f"Budget {line.tally.key}: {show_usd(line.tally.recovered_usd)} of what is spent "
                "is for calls whose process died; they may have cost up to that much. Remove it "
                f"with `noctule budgets forgive {line.tally.key.name} --why TEXT`.",
                err=True,
            )


def print_corrections(corrections: "Sequence[Correction]", records: "Records") -> None:
    """Print the last corrections, a line each."""
    from noctule.channels.terminal.screens.printable import printable  # noqa: PLC0415 - not for --json
    from noctule.cli.frame.moments import show  # noqa: PLC0415 - likewise
    from noctule.core.base.money import show_usd  # noqa: PLC0415 - likewise

    now = records.clock.now()
    for one in corrections[-_MOST_SHOWN:]:
        click.echo(
            f"Removed from {one.key} {show(one.at, records.zone, now)}: {show_usd(one.usd)} "
            f"({printable(one.why)})."
        )
