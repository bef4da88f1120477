"""What may be spent from here on: read from the records, and said before a run."""

from datetime import datetime, tzinfo

from noctule.core.base.money import show_usd
from noctule.core.budgets.budget_scopes import RUN_BUDGET, BudgetScopes
from noctule.core.ports.database import Database
from noctule.core.reports.budget_report import BudgetLine, report_budgets
from noctule.core.sessions.sessions import Session
from noctule.core.settings import Settings


async def read_budgets(
    database: Database, settings: Settings, now: datetime, *, finished: bool = True
) -> list[BudgetLine]:
    """Return how every budget stands.

    Args:
        database: where it is read.
        settings: the configured budgets.
        now: aware.
        finished: whether parts of sessions in which nothing is unfinished are listed too.
    """
    async with database.read() as work:
        tallies = await work.budgets.tallies()
        spent = {
            tally.key: await work.budgets.spent(tally.key)
            for tally in tallies
            if tally.ends_at is None
        }
        sessions = await work.sessions.list()
        parkings = await work.parkings.all_open()
        if not finished:
            is_open = {turn.session_id for turn in await work.turns.unfinished()}
            over = {session.id for session in sessions} - is_open
            sessions = [session for session in sessions if session.id not in over]
            tallies = [tally for tally in tallies if tally.key.part not in over]
    return report_budgets(
        BudgetScopes(settings),
        tallies=tallies,
        spent=spent,
        sessions=sessions,
        parkings=parkings,
        now=now,
    )


async def allowance(
    database: Database, settings: Settings, session_id: str, *, now: datetime, zone: tzinfo
) -> str | None:
    """Return one sentence: how much a session may spend now, and what then; None without a bound.

    Budgets of single roles and models are left out: nobody knows yet who will answer.

    Args:
        database: where it is read.
        settings: the configured budgets.
        session_id: whose.
        now: aware.
        zone: where the reset is shown.
    """
    async with database.read() as work:
        session = await work.sessions.get(session_id)
    lines = await read_budgets(database, settings, now)
    own = [line for line in lines if _counts(line, session, settings)]
    if not own:
        return None
    line = min(own, key=lambda one: one.left_usd)
    name, ends_at = line.tally.key.name, line.tally.ends_at
    budget = name if name == RUN_BUDGET else f"budget {name}"
    spent = f"{show_usd(line.tally.settled_usd)} of {show_usd(line.budget.usd)} are spent"
    if line.budget.window is None:
        then = "then it waits for you"
    elif ends_at is None:
        then = "then it sleeps until money comes back"
    else:
        then = f"then it sleeps, until {_moment(ends_at, zone, now)}"
    return f"Up to {show_usd(line.left_usd)} now ({budget}: {spent}); {then}."


def _moment(moment: datetime, zone: tzinfo, now: datetime) -> str:
    there, today = moment.astimezone(zone), now.astimezone(zone).date()
    return there.strftime("%H:%M:%S" if there.date() == today else "%Y-%m-%d %H:%M")


def _counts(line: BudgetLine, session: Session, settings: Settings) -> bool:
    key = line.tally.key
    if key.name == RUN_BUDGET:
        return key.part == session.id
    own = settings.budgets.get(key.name)
    if own is None:
        return False
    parts = {"global": "", "session": session.id, "owner": session.owner}
    part = parts.get(own.scope.value)
    return part is not None and key.part in {part, ""}
