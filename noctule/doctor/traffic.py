"""Does routing pay, for as much as there is to do?"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from noctule.core.base.money import show_usd
from noctule.core.llm.attempts import Attempt
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.costs import ListCost, compare, dearest
from noctule.core.settings import Settings
from noctule.doctor.finding import Finding, Level
from noctule.doctor.presence import bound_models

_DAYS = 30
_KNOWN_AFTER = timedelta(days=7)
_LITTLE_USD = Decimal(5)


def traffic(
    settings: Settings, attempts: Sequence[Attempt], list_cost: ListCost, now: datetime
) -> Iterator[Finding]:
    """Say when so little is done that one model for everything would cost next to nothing.

    Silent while all bound models are local, in the first week, and where prices are unknown.

    Args:
        settings: which models are bound.
        attempts: the ledger, newest first.
        list_cost: prices tokens.
        now: the end of the last 30 days.
    """
    bound = bound_models(settings)
    if all(settings.is_local(name) for name in bound):
        return
    recent = [a for a in attempts if a.started_at >= now - timedelta(days=_DAYS)]
    model = dearest(bound, list_cost, now)
    if model is None or not recent or now - attempts[-1].started_at < _KNOWN_AFTER:
        return
    alone = compare(recent, model, list_cost)
    if alone.cost_usd is None or alone.unknown or alone.cost_usd >= _LITTLE_USD:
        return
    answers = sum(attempt.outcome is Outcome.SUCCESS for attempt in recent)
    yield Finding(
        Level.ADVICE,
        "traffic",
        f"All {answers} answers of the last {_DAYS} days would have cost "
        f"{show_usd(alone.cost_usd)} on {model} alone: routing cannot save more than that.",
        "Two models are enough: one for every role, and the other as its fallback.",
    )
