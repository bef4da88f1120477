"""What is paid by the month, spread over the calls it served, and when it pays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from noctule.core.llm.attempts import Attempt
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.costs import ListCost, Spend, compare

DAYS = 30
"""How many days a month has here."""


@dataclass(frozen=True, slots=True)
class MonthlyEndpoint:
    """One endpoint that costs money by the month.

    Args:
        name: in the configuration.
        monthly_usd: plan, hardware, electricity.
        calls: answers it gave in the month.
        usd_per_call: ``monthly_usd`` spread over them; None when there were none.
        baseline_usd: what these answers would have cost on the model compared with; None when
            that is unknown.
        break_even_calls: from how many answers a month it is cheaper than that model; None when
            it never is, or nobody knows.
    """

    name: str
    monthly_usd: Decimal
    calls: int
    usd_per_call: Decimal | None
    baseline_usd: Decimal | None
    break_even_calls: int | None


@dataclass(frozen=True, slots=True)
class Month:
    """The last 30 days.

    Args:
        since: where they begin.
        calls: what was paid by the call.
        fixed_usd: what all endpoints cost by the month.
        total_usd: both together; None when the cost of the calls is not known.
        baseline_usd: what all answers would have cost on the model compared with; None when
            that is unknown.
        endpoints: those that cost money by the month, in the order of the configuration.
    """

    since: datetime
    calls: Spend
    fixed_usd: Decimal
    total_usd: Decimal | None
    baseline_usd: Decimal | None
    endpoints: tuple[MonthlyEndpoint, ...]


def report_month(
    attempts: Sequence[Attempt],
    monthly_usd: Mapping[str, Decimal],
    *,
    now: datetime,
    baseline: str | None,
    list_cost: ListCost,
) -> Month:
    """Report the last 30 days.

    Args:
        attempts: the ledger; older ones are left out.
        monthly_usd: what endpoints cost by the month, by name.
        now: the end of the month.
        baseline: the model compared with; None leaves that out.
        list_cost: prices tokens on it.
    """
    since = now - timedelta(days=DAYS)
    recent = [attempt for attempt in attempts if attempt.started_at >= since]
    calls = Spend.of(recent)
    fixed = sum(monthly_usd.values(), Decimal(0))
    return Month(
        since=since,
        calls=calls,
        fixed_usd=fixed,
        total_usd=None if calls.cost_usd is None else fixed + calls.cost_usd,
        baseline_usd=_on(baseline, recent, list_cost),
        endpoints=tuple(
            _endpoint(name, usd, [a for a in recent if a.endpoint == name], baseline, list_cost)
            for name, usd in monthly_usd.items()
        ),
    )


def break_even(monthly_usd: Decimal, *, own_usd: Decimal, other_usd: Decimal) -> int | None:
    """Return from how many calls a month a fixed price pays; None when it never does.

    Args:
        monthly_usd: the fixed price; 0 pays from the first call that is cheaper here.
        own_usd: what one call costs here on top of it.
        other_usd: what one call costs elsewhere.
    """
    if other_usd <= own_usd:
        return None
    calls = monthly_usd / (other_usd - own_usd)
    return max(1, int(calls.to_integral_value(rounding=ROUND_CEILING)))


def _endpoint(
    name: str,
    monthly_usd: Decimal,
    attempts: Sequence[Attempt],
    baseline: str | None,
    list_cost: ListCost,
) -> MonthlyEndpoint:
    answers = [attempt for attempt in attempts if attempt.outcome is Outcome.SUCCESS]
    count = len(answers)
    elsewhere, own = _on(baseline, answers, list_cost), Spend.of(attempts).cost_usd
    even = None
    if count and elsewhere is not None and own is not None:
        even = break_even(monthly_usd, own_usd=own / count, other_usd=elsewhere / count)
    return MonthlyEndpoint(
        name=name,
        monthly_usd=monthly_usd,
        calls=count,
        usd_per_call=monthly_usd / count if count else None,
        baseline_usd=elsewhere,
        break_even_calls=even,
    )


def _on(model: str | None, attempts: Sequence[Attempt], list_cost: ListCost) -> Decimal | None:
    return None if model is None else compare(attempts, model, list_cost).cost_usd
