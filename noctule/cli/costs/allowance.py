"""What may be spent from here on, for commands."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.core.reports.budget_report import BudgetLine


async def read_budgets(records: "Records", *, finished: bool = True) -> "list[BudgetLine]":
    """Return how every budget stands; parts of sessions that are over only when asked for."""
    from noctule.sessions.service import spend_preview as read  # noqa: PLC0415 - only when asked

    now = records.clock.now()
    return await read.read_budgets(records.database, records.settings, now, finished=finished)


async def allowance(records: "Records", session_id: str) -> str | None:
    """Return one sentence: how much a session may spend now, and what then; None without a bound.

    Budgets of single roles and models are left out: nobody knows yet who will answer.
    """
    from noctule.sessions.service import spend_preview as read  # noqa: PLC0415 - only when asked

    return await read.allowance(
        records.database,
        records.settings,
        session_id,
        now=records.clock.now(),
        zone=records.zone,
    )
