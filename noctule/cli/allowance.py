"""What may be spent from here on: read from the records, and said before a run."""

from typing import TYPE_CHECKING

from noctule.core.coverage import RUN_BUDGET

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.core.budget_report import BudgetLine
    from noctule.core.sessions import Session


async def read_budgets(records: "Records") -> "list[BudgetLine]":
    """Return how every budget stands."""
    from noctule.core.budget_report import report_budgets  # noqa: PLC0415 - only when asked
    from noctule.core.coverage import Coverage  # noqa: PLC0415 - likewise

    async with records.database.read() as work:
        tallies = await work.budgets.tallies()
        spent = {
            tally.key: await work.budgets.spent(tally.key)
            for tally in tallies
            if tally.ends_at is None
        }
        sessions = await work.sessions.list()
        parkings = await work.parkings.all_open()
    return report_budgets(
        Coverage(records.settings),
        tallies=tallies,
        spent=spent,
        sessions=sessions,
        parkings=parkings,
        now=records.clock.now(),
    )


async def allowance(records: "Records", session_id: str) -> str | None:
    """Return one sentence: how much a session may spend now, and what then; None without a bound.

    Budgets of single roles and models are left out: nobody knows yet who will answer.
    """
    async with records.database.read() as work:
        session = await work.sessions.get(session_id)
    lines = [line for line in await read_budgets(records) if _counts(line, session, records)]
    if not lines:
        return None
    from noctule.cli.moments import show  # noqa: PLC0415 - only when there is a budget
    from noctule.core.money import show_usd  # noqa: PLC0415 - likewise

    line = min(lines, key=lambda one: one.left_usd)
    name, ends_at = line.tally.key.name, line.tally.ends_at
    budget = name if name == RUN_BUDGET else f"budget {name}"
    spent = f"{show_usd(line.tally.settled_usd)} of {show_usd(line.budget.usd)} are spent"
    if line.budget.window is None:
        then = "then it waits for you"
    elif ends_at is None:
        then = "then it sleeps until money comes back"
    else:
        then = f"then it sleeps, until {show(ends_at, records.zone, records.clock.now())}"
    return f"Up to {show_usd(line.left_usd)} now ({budget}: {spent}); {then}."


def _counts(line: "BudgetLine", session: "Session", records: "Records") -> bool:
    key = line.tally.key
    if key.name == RUN_BUDGET:
        return key.part == session.id
    own = records.settings.budgets.get(key.name)
    if own is None:
        return False
    parts = {"global": "", "session": session.id, "owner": session.owner}
    part = parts.get(own.scope.value)
    return part is not None and key.part in {part, ""}
