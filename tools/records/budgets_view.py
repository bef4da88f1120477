"""A look at one's own budgets and what was spent. Reads only."""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar

from pydantic import BaseModel, Field

from noctule.core.base.money import show_usd
from noctule.core.budgets.budget_scopes import RUN_BUDGET, BudgetScopes
from noctule.core.llm.attempts import Attempt, Usage
from noctule.core.ports.database import UnitOfWork
from noctule.core.reports.budget_report import BudgetLine, report_budgets
from noctule.core.reports.costs import OUTSIDE, Spend, report_costs
from noctule.core.sessions.sessions import LOCAL_OWNER, Session
from noctule.core.settings import BudgetScope, Settings
from noctule.core.tools.effects import EffectClass
from tools.base.tool import Tool, ToolContext, ToolResult

_MOST = 10
_FEWEST = 2


class MyBudgetsArguments(BaseModel):
    """How far back."""

    days: int = Field(
        default=7, ge=1, le=366, description="How many days back what was spent is added up."
    )


class MyBudgetsTool(Tool[MyBudgetsArguments]):
    """Tells what was spent and what is left.

    Args:
        settings: the budgets.
        zone: where times are shown and a day begins.
    """

    name: ClassVar[str] = "my_budgets"
    family: ClassVar[str] = "sessions"
    description: ClassVar[str] = (
        "Tell what the person's sessions have cost lately, by session and model, and how their "
        'budgets stand: spent, left, until when. Use it for "what did that cost?". '
        'Example: {"days": 1}'
    )
    arguments = MyBudgetsArguments
    effect = EffectClass.READ

    def __init__(self, settings: Settings, zone: tzinfo) -> None:
        self._settings = settings
        self._zone = zone

    def use(self, settings: Settings) -> None:
        """Tell of the budgets of another configuration from now on."""
        self._settings = settings

    async def run(self, arguments: MyBudgetsArguments, context: ToolContext) -> ToolResult:
        """Tell it."""
        now = context.clock.now()
        async with context.database.read() as work:
            sessions = {session.id: session for session in await work.sessions.list()}
            attempts = await work.attempts.list(since=now - timedelta(days=arguments.days))
            lines = await _budget_lines(work, BudgetScopes(self._settings), sessions, now)
        own = [attempt for attempt in attempts if _is_own(attempt, sessions, context)]
        report = report_costs(
            own, routes={}, sessions=sessions, zone=self._zone, baseline=None, list_cost=_unpriced
        )
        spent = "the last day" if arguments.days == 1 else f"the last {arguments.days} days"
        text = [f"Spent in {spent}: {_spend(report.total)}"]
        for group, named in (("model", "By model"), ("day", "By day"), ("session", "By session")):
            text += _group(named, report.groups[group], sessions, context)
        shown = [self._line(line) for line in lines if self._may_see(line, sessions, context)]
        return ToolResult("\n".join([*text, "", *(shown or ["No budget is set."])]))

    def _line(self, line: BudgetLine) -> str:
        tally, ends_at = line.tally, line.tally.ends_at
        until = "" if ends_at is None else f", resets {_moment(ends_at, self._zone)}"
        asleep = f", {len(line.asleep)} sessions sleep on it" if line.asleep else ""
        return (
            f"Budget {tally.key}: {show_usd(tally.settled_usd)} of {show_usd(line.budget.usd)} "
            f"spent, {show_usd(line.left_usd)} left{until}{asleep}"
        )

    def _may_see(
        self, line: BudgetLine, sessions: Mapping[str, Session], context: ToolContext
    ) -> bool:
        """Whether a budget is the person's; the data folder's owner sees all."""
        if context.owner == LOCAL_OWNER:
            return True
        key = line.tally.key
        own = self._settings.budgets.get(key.name)
        if key.name == RUN_BUDGET or (own is not None and own.scope is BudgetScope.SESSION):
            session = sessions.get(key.part)
            return session is not None and session.owner == context.owner
        return own is not None and own.scope is BudgetScope.OWNER and key.part == context.owner


async def _budget_lines(
    work: UnitOfWork, coverage: BudgetScopes, sessions: Mapping[str, Session], now: datetime
) -> list[BudgetLine]:
    tallies = await work.budgets.tallies()
    rolling = [tally.key for tally in tallies if tally.ends_at is None]
    return report_budgets(
        coverage,
        tallies=tallies,
        spent={key: await work.budgets.spent(key) for key in rolling},
        sessions=sessions.values(),
        parkings=await work.parkings.all_open(),
        now=now,
    )


def _is_own(attempt: Attempt, sessions: Mapping[str, Session], context: ToolContext) -> bool:
    if context.owner == LOCAL_OWNER:
        return True
    session = sessions.get(attempt.session_id or "")
    return session is not None and session.owner == context.owner


def _group(
    title: str,
    spends: Mapping[str, Spend],
    sessions: Mapping[str, Session],
    context: ToolContext,
) -> list[str]:
    """Return the dearest of a group, a line each; nothing when there is only one to name."""
    if len(spends) < _FEWEST:
        return []
    items = list(spends.items())
    shown = [f"- {_named(name, sessions, context)}: {_spend(spend)}" for name, spend in items]
    rest = [f"- and {len(shown) - _MOST} more"] if len(shown) > _MOST else []
    return [f"{title}:", *(shown[-_MOST:] if title == "By day" else shown[:_MOST]), *rest]


def _named(name: str, sessions: Mapping[str, Session], context: ToolContext) -> str:
    """Return what a group is called: a session by its title too, unless that is private."""
    if name == OUTSIDE:
        return "outside of sessions"
    session = sessions.get(name)
    if session is None or not session.title or (session.private and not context.private):
        return name
    return f'{name} "{session.title}"'


def _spend(spend: Spend) -> str:
    unknown = f", {spend.unknown} calls of unknown cost besides" if spend.unknown else ""
    return f"{show_usd(spend.cost_usd)} for {spend.calls} answers{unknown}"


def _moment(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _unpriced(model: str, usage: Usage, at: datetime) -> tuple[None, None]:
    """Price nothing: no comparison is asked for."""
    del model, usage, at
    return None, None
