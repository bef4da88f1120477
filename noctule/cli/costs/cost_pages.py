"""The cost report for programs (JSON) and for people."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import tzinfo
from decimal import Decimal
from typing import Any, cast

import click

from noctule.cli.costs.token_words import parts_in_words
from noctule.cli.frame.documents import baseline_document
from noctule.cli.frame.moments import iso
from noctule.cli.frame.tables import CellFit, Column, print_table
from noctule.cli.json_types.costs import (
    AcceptedDocument,
    CostsDocument,
    FullInputPartsDocument,
    MonthDocument,
    SpendDocument,
)
from noctule.core.base.money import show_usd
from noctule.core.base.short_ids import short_ids
from noctule.core.reports.answer_cost import AnswerCost
from noctule.core.reports.costs import OUTSIDE, Baseline, CostReport, Spend, share
from noctule.core.reports.monthly import DAYS, Month, MonthlyEndpoint

_SHOWN = 10
_ALWAYS_SHOWN = frozenset({"role", "model"})
_PLACES = {"local": "local", "frontier": "frontier", "other": "other hosted"}


def document(
    report: CostReport, titles: Mapping[str, str], month: Month | None, zone: tzinfo
) -> CostsDocument:
    """Return what ``costs --json`` prints: amounts are numbers, null where nobody knows."""
    total = report.total
    groups = {
        f"by_{measure}": {name: _entry(spend, total) for name, spend in spends.items()}
        for measure, spends in report.groups.items()
        if measure != "place"
    }
    for measure, prices in (("role", report.answers.by_role), ("model", report.answers.by_model)):
        for name, price in prices.items():
            groups[f"by_{measure}"][name]["accepted"] = _price(price)
    for name, entry in groups["by_session"].items():
        entry["title"] = titles.get(name)
    places = report.groups["place"]
    result: dict[str, Any] = {
        "total_usd": _number(total.cost_usd),
        "unknown": total.unknown,
        "attempts": total.attempts,
        "calls": total.calls,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "input_parts": _parts(total),
        "accepted": _price(report.answers.total),
        **groups,
        "shares": {place: _entry(places.get(place, Spend.of(())), total) for place in _PLACES},
        "baseline": baseline_document(report.baseline),
    }
    if month is not None:
        result["monthly"] = _month(month, zone)
    return cast("CostsDocument", result)


def _unknown(total: Spend) -> Iterator[str]:
    """Say why costs are unknown: a price that nobody set is one thing, a missing count another."""
    if total.unpriced:
        yield (
            f"  {total.unpriced} of unknown cost, because their models have no known price: set "
            "models.NAME.price."
        )
    if uncounted := total.unknown - total.unpriced:
        yield (
            f"  {uncounted} of unknown cost, because their provider counted no tokens (a call that "
            "broke off, or one without usage); budgets count the most they can have cost."
        )


def print_report(report: CostReport, titles: Mapping[str, str], month: Month | None) -> None:
    """Print the report for people on stdout."""
    total = report.total
    click.echo(f"Total: {cost_of(total)} for {total.calls} answers ({total.attempts} attempts)")
    for line in _unknown(total):
        click.echo(line)
    for line in (*_accepted(report), *_tokens(total), *_shares(report)):
        click.echo(line)
    for line in _compared(report.baseline):
        click.echo(line)
    for measure, spends in report.groups.items():
        if spends and _is_worth_a_table(measure, spends, total):
            click.echo()
            _print_group(measure, spends, titles, report)
    for line in _monthly_lines(month, report.baseline) if month else ():
        click.echo(line)


def _is_worth_a_table(measure: str, spends: Mapping[str, Spend], total: Spend) -> bool:
    """Say whether a table tells more than the total: not for one row, nor for seven times $0.00."""
    if measure == "place":
        return False
    if measure in _ALWAYS_SHOWN:
        return True
    free = not total.unknown and not total.cost_usd
    return len(spends) > 1 and not free


def cost_of(spend: Spend) -> str:
    """Return a cost for people; what is unknown is said beside it."""
    if not spend.unknown:
        return show_usd(spend.cost_usd)
    if spend.cost_usd is None:
        return f"$? ({spend.unknown} unknown)"
    return f"{show_usd(spend.cost_usd)} + {spend.unknown} unknown"


def _print_group(
    measure: str, spends: Mapping[str, Spend], titles: Mapping[str, str], report: CostReport
) -> None:
    shown = list(spends.items())
    left = max(0, len(shown) - _SHOWN)
    shown = shown[-_SHOWN:] if measure == "day" else shown[:_SHOWN]
    names = dict.fromkeys(spends, "")
    if measure == "session":
        names = short_ids([name for name in spends if name != OUTSIDE]) | {OUTSIDE: OUTSIDE}
    prices = {"role": report.answers.by_role, "model": report.answers.by_model}.get(measure)
    last: tuple[Column, ...] = (
        (Column("", CellFit.SHORTEN, rank=6),)
        if prices is None
        else (Column("kept", rank=3, is_number=True), Column("each", rank=2, is_number=True))
    )
    print_table(
        (
            Column(f"by {measure}", rank=0),
            Column("answers", rank=1, is_number=True),
            Column("tokens in", rank=4, is_number=True),
            Column("out", rank=5, is_number=True),
            Column("cost", rank=0, is_number=True),
            *last,
        ),
        [
            (
                names[name] or name,
                str(spend.calls),
                str(spend.input_tokens),
                str(spend.output_tokens),
                cost_of(spend),
                *_last_cells(name, titles if measure == "session" else {}, prices),
            )
            for name, spend in shown
        ],
    )
    if left:
        click.echo(f"and {left} more; `--json` and `--csv` have all.")


def _last_cells(
    name: str, titles: Mapping[str, str], prices: Mapping[str, AnswerCost] | None
) -> tuple[str, ...]:
    if prices is None:
        return (titles.get(name, ""),)
    price = prices.get(name)
    if price is None or not price.accepted:
        return ("-", "-")
    return (str(price.accepted), show_usd(price.usd_each))


def _accepted(report: CostReport) -> Iterator[str]:
    price = report.answers.total
    if not price.accepted and not price.refused:
        return
    answers = "answer" if price.accepted == 1 else "answers"
    refused = f", {price.refused} rejected" if price.refused else ""
    each = f"{show_usd(price.usd_each)} each" if price.accepted else "none to pay for the rest"
    yield (
        f"Kept: {price.accepted} {answers}{refused}; {each}, including retries and answers that "
        "were discarded, failed or rejected"
    )


def _tokens(total: Spend) -> Iterator[str]:
    if not total.input_tokens:
        return
    parts = parts_in_words(total.parts, unsplit=total.unsplit_tokens, shares=True)
    yield f"Tokens: {total.input_tokens} sent: {parts}; {total.output_tokens} of answers"


def _shares(report: CostReport) -> Iterator[str]:
    total, places = report.total, report.groups["place"]
    parts = []
    for place, word in _PLACES.items():
        spend = places.get(place)
        if spend is not None and spend.calls:
            calls, money = share(spend.calls, total.calls), share(spend.cost_usd, total.cost_usd)
            paid = "" if money is None or total.unknown else f", {money:.0%} of the money"
            parts.append(f"{word} {calls or 0:.0%} of the answers{paid}")
    if parts:
        yield f"Shares: {'; '.join(parts)}"


def _compared(baseline: Baseline | None) -> Iterator[str]:
    if baseline is None:
        yield "No model has a known price to compare with; set models.NAME.price."
        return
    unknown = f" + {baseline.unknown} unknown" if baseline.unknown else ""
    saved = ""
    if baseline.saved_usd:
        word = "less" if baseline.saved_usd > 0 else "more"
        saved = f": {show_usd(abs(baseline.saved_usd))} {word} was spent"
    yield (
        f"All of it on {baseline.model}: {show_usd(baseline.cost_usd)}{unknown}{saved} "
        "(hypothetical: same tokens at that model's price)"
    )


def _monthly_lines(month: Month, baseline: Baseline | None) -> Iterator[str]:
    yield ""
    fixed, paid = show_usd(month.fixed_usd), cost_of(month.calls)
    yield f"The last {DAYS} days: {fixed} by the month and {paid} by the call"
    if not month.endpoints:
        yield "  No endpoint has monthly_usd set (plan, hardware, electricity)."
    elif baseline is not None and month.baseline_usd is not None and month.total_usd is not None:
        yield (
            f"  together {show_usd(month.total_usd)}; all of it on {baseline.model} would have "
            f"been {show_usd(month.baseline_usd)} (hypothetical)"
        )
    for endpoint in month.endpoints:
        yield f"  {_endpoint_line(endpoint, baseline)}"


def _endpoint_line(endpoint: MonthlyEndpoint, baseline: Baseline | None) -> str:
    head = f"{endpoint.name}: {show_usd(endpoint.monthly_usd)} a month"
    if endpoint.usd_per_call is None:
        return f"{head} and no answer from it"
    answers = "1 answer" if endpoint.calls == 1 else f"{endpoint.calls} answers"
    line = f"{head}, {answers}, {show_usd(endpoint.usd_per_call)} each"
    if baseline is None or endpoint.baseline_usd is None:
        return line
    line += f"; on {baseline.model} they would have cost {show_usd(endpoint.baseline_usd)}"
    if endpoint.break_even_calls is None:
        return f"{line}, which is never more"
    return f"{line}; it pays from {endpoint.break_even_calls} answers a month"


def _entry(spend: Spend, total: Spend) -> SpendDocument:
    return {
        "cost_usd": _number(spend.cost_usd),
        "unknown": spend.unknown,
        "attempts": spend.attempts,
        "calls": spend.calls,
        "input_tokens": spend.input_tokens,
        "output_tokens": spend.output_tokens,
        "input_parts": _parts(spend),
        "share_of_calls": share(spend.calls, total.calls),
        "share_of_cost": None if total.unknown else share(spend.cost_usd, total.cost_usd),
    }


def _parts(spend: Spend) -> FullInputPartsDocument:
    return cast(
        "FullInputPartsDocument",
        {**asdict(spend.parts), "unsplit_tokens": spend.unsplit_tokens},
    )


def _price(price: AnswerCost) -> AcceptedDocument:
    return {
        "answers": price.accepted,
        "refused": price.refused,
        "cost_usd": _number(price.cost_usd),
        "usd_each": _number(price.usd_each),
    }


def _month(month: Month, zone: tzinfo) -> MonthDocument:
    return {
        "since": iso(month.since, zone),
        "days": DAYS,
        "fixed_usd": _number(month.fixed_usd),
        "calls_usd": _number(month.calls.cost_usd),
        "total_usd": _number(month.total_usd),
        "unknown": month.calls.unknown,
        "baseline_usd": _number(month.baseline_usd),
        "endpoints": {
            endpoint.name: {
                "monthly_usd": _number(endpoint.monthly_usd),
                "calls": endpoint.calls,
                "usd_per_call": _number(endpoint.usd_per_call),
                "baseline_usd": _number(endpoint.baseline_usd),
                "break_even_calls": endpoint.break_even_calls,
            }
            for endpoint in month.endpoints
        },
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
