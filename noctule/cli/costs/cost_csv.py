"""The cost report as comma-separated values: a row per group, unknown amounts empty."""

import csv
from collections.abc import Iterator, Mapping
from decimal import Decimal
from io import StringIO

from noctule.core.base.printable import spelt_out
from noctule.core.reports.answer_cost import AnswerCost
from noctule.core.reports.costs import Baseline, CostReport, Spend
from noctule.core.reports.monthly import Month, MonthlyEndpoint

_COLUMNS = (
    "measure",
    "name",
    "attempts",
    "calls",
    "cost_usd",
    "unknown",
    "input_tokens",
    "output_tokens",
    "prompt_tokens",
    "text_tokens",
    "resent_tokens",
    "tool_tokens",
    "accepted",
    "usd_per_accepted",
    "saved_usd",
    "usd_per_call",
    "baseline_usd",
    "break_even_calls",
)

Row = Mapping[str, object]


def csv_text(report: CostReport, month: Month | None) -> str:
    """Return what ``costs --csv`` prints.

    Args:
        report: rows ``total``, one per measure and name, and ``baseline``.
        month: rows ``month`` for sums and ``monthly`` for endpoints; None leaves them out.
    """
    out = StringIO()
    writer = csv.DictWriter(out, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(report, month))
    return spelt_out(out.getvalue())


def _rows(report: CostReport, month: Month | None) -> Iterator[Row]:
    answers = report.answers
    yield {"measure": "total", "name": "", **_spend(report.total), **_price(answers.total)}
    prices = {"role": answers.by_role, "model": answers.by_model}
    for measure, spends in report.groups.items():
        for name, spend in spends.items():
            price = _price(prices.get(measure, {}).get(name))
            yield {"measure": measure, "name": name, **_spend(spend), **price}
    if report.baseline is not None:
        yield _baseline(report.baseline)
    if month is not None:
        yield from _month(month)


def _spend(spend: Spend) -> Row:
    return {
        "attempts": spend.attempts,
        "calls": spend.calls,
        "cost_usd": _amount(spend.cost_usd),
        "unknown": spend.unknown,
        "input_tokens": spend.input_tokens,
        "output_tokens": spend.output_tokens,
        "prompt_tokens": spend.parts.prompt_tokens,
        "text_tokens": spend.parts.text_tokens,
        "resent_tokens": spend.parts.resent_tokens,
        "tool_tokens": spend.parts.tool_tokens,
    }


def _price(price: AnswerCost | None) -> Row:
    if price is None:
        return {}
    return {"accepted": price.accepted, "usd_per_accepted": _amount(price.usd_each)}


def _baseline(baseline: Baseline) -> Row:
    return {
        "measure": "baseline",
        "name": baseline.model,
        "cost_usd": _amount(baseline.cost_usd),
        "unknown": baseline.unknown,
        "saved_usd": _amount(baseline.saved_usd),
    }


def _month(month: Month) -> Iterator[Row]:
    yield {"measure": "month", "name": "fixed", "cost_usd": _amount(month.fixed_usd)}
    yield {"measure": "month", "name": "calls", **_spend(month.calls)}
    yield {
        "measure": "month",
        "name": "total",
        "cost_usd": _amount(month.total_usd),
        "unknown": month.calls.unknown,
        "baseline_usd": _amount(month.baseline_usd),
    }
    yield from map(_endpoint, month.endpoints)


def _endpoint(endpoint: MonthlyEndpoint) -> Row:
    even = endpoint.break_even_calls
    return {
        "measure": "monthly",
        "name": endpoint.name,
        "calls": endpoint.calls,
        "cost_usd": _amount(endpoint.monthly_usd),
        "usd_per_call": _amount(endpoint.usd_per_call),
        "baseline_usd": _amount(endpoint.baseline_usd),
        "break_even_calls": "" if even is None else even,
    }


def _amount(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"
