from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.base.money import show_usd
from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.llm.pricing import cost_of
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.costs import Spend, compare, dearest, place_of, report_costs, share
from noctule.core.reports.monthly import break_even, report_month
from noctule.core.settings import PriceSettings
from tests.support.stored_records import NOON, an_attempt, later

PRICES = {
    "cheap": PriceSettings(input=Decimal(1), output=Decimal(2)),
    "dear": PriceSettings(input=Decimal(3), output=Decimal(15)),
    "free": PriceSettings(input=Decimal(0), output=Decimal(0)),
}
KNOWN = st.integers(0, 10**9).map(lambda nanos: Decimal(nanos) / 10**9)
TOKENS = st.none() | st.integers(0, 100_000)


def list_cost(model, usage, at):
    """Price tokens; a model without a price is unknown."""
    price = PRICES.get(model)
    cost = None if price is None else cost_of(usage, price)
    return cost, None if cost is None else CostSource.CONFIG


@st.composite
def attempts(draw):
    """Some attempts of any role, model, cost and outcome."""
    count = draw(st.integers(0, 12))
    return [
        replace(
            an_attempt(f"a{number}"),
            role=draw(st.sampled_from(["chat", "writer"])),
            model=draw(st.sampled_from(["cheap", "dear", "gone"])),
            tier=draw(st.sampled_from(["routine", "frontier"])),
            local=draw(st.booleans()),
            session_id=draw(st.sampled_from([None, "s1", "s2"])),
            outcome=draw(st.sampled_from([Outcome.SUCCESS, Outcome.RATE_LIMITED])),
            cost_usd=draw(st.none() | KNOWN),
            usage=Usage(draw(TOKENS), draw(TOKENS)),
            first_token_s=None,
            started_at=later(draw(st.integers(0, 200_000))),
        )
        for number in range(count)
    ]


@given(attempts())
def test_every_measure_adds_up_to_the_total(rows):
    """Each attempt is in one group of each measure: counts, costs and unknowns are conserved."""
    report = report_costs(
        rows, routes={}, sessions={}, zone=UTC, baseline="dear", list_cost=list_cost
    )
    for groups in report.groups.values():
        assert sum(spend.attempts for spend in groups.values()) == report.total.attempts
        assert sum(spend.calls for spend in groups.values()) == report.total.calls
        assert sum(spend.unknown for spend in groups.values()) == report.total.unknown
        known = sum((spend.cost_usd or Decimal(0) for spend in groups.values()), Decimal(0))
        assert known == (report.total.cost_usd or Decimal(0))


@given(attempts())
def test_an_unknown_cost_is_never_zero(rows):
    """An unknown cost is counted, whatever came of the attempt; alone it makes the cost None."""
    spend = Spend.of(rows)
    unknown = [row for row in rows if row.cost_usd is None]
    assert spend.unknown == len(unknown)
    untold = [row for row in unknown if None in (row.usage.input_tokens, row.usage.output_tokens)]
    assert spend.unpriced == len(unknown) - len(untold)  # no price would help with the others
    assert Spend.of(unknown).cost_usd == (None if unknown else Decimal(0))


@given(attempts(), st.sampled_from(["cheap", "dear", "free", "gone"]))
def test_a_baseline_prices_each_answer_once_or_counts_it_as_unknown(rows, model):
    """Priced and unknown answers are all answers; the sum is that of their own list costs."""
    baseline = compare(rows, model, list_cost)
    answers = [row for row in rows if row.outcome is Outcome.SUCCESS]
    costs = [list_cost(model, row.usage, row.started_at)[0] for row in answers]
    assert baseline.unknown == sum(cost is None for cost in costs)
    known = [cost for cost in costs if cost is not None]
    if known or not answers:
        assert baseline.cost_usd == sum(known, Decimal(0))
    else:
        assert baseline.cost_usd is None


def test_saving_is_unknown_when_what_was_paid_is():
    """A comparison with an unknown bill says nothing about a saving."""
    paid = an_attempt(usage=Usage(1000, 100), cost_usd=Decimal("0.001"))
    assert compare([paid], "dear", list_cost).saved_usd == Decimal("0.0035")
    assert compare([replace(paid, cost_usd=None)], "dear", list_cost).saved_usd is None


def test_the_dearest_model_is_the_dearest_known():
    """Unknown prices do not take part; of nothing known there is no dearest."""
    assert dearest(["cheap", "gone", "dear", "free"], list_cost, NOON) == "dear"
    assert dearest(["gone"], list_cost, NOON) is None


def test_places_tell_local_from_frontier():
    """A local model is local whatever its tier."""
    assert place_of(an_attempt(local=True, tier="frontier")) == "local"
    assert place_of(an_attempt(tier="frontier")) == "frontier"
    assert place_of(an_attempt(tier="mid")) == "other"


def test_a_share_of_nothing_is_unknown():
    """There is no share of 0, nor of what nobody knows."""
    assert (share(1, 4), share(0, 4), share(0, 0), share(None, 4)) == (0.25, 0.0, None, None)


@given(st.decimals(0, 1000, places=2), st.decimals(0, 1, places=4), st.decimals(0, 1, places=4))
def test_break_even_is_the_first_count_that_pays(monthly, own, other):
    """At the count it is no dearer than elsewhere; one call fewer is dearer."""
    count = break_even(monthly, own_usd=own, other_usd=other)
    if other <= own:
        assert count is None
        return
    assert count is not None
    assert monthly + count * own <= count * other
    assert count == 1 or monthly + (count - 1) * own > (count - 1) * other


def test_a_month_counts_only_its_own_days():
    """What is older than 30 days is left out; an endpoint without answers has no price each."""
    old = an_attempt("a1", endpoint="near", started_at=NOON - timedelta(days=31))
    fresh = an_attempt("a2", endpoint="near", usage=Usage(1000, 100), cost_usd=Decimal(0))
    month = report_month(
        [fresh, old],
        {"near": Decimal(6), "idle": Decimal(1)},
        now=later(60),
        baseline="dear",
        list_cost=list_cost,
    )
    near, idle = month.endpoints
    assert (near.calls, near.usd_per_call) == (1, Decimal(6))
    assert (idle.calls, idle.usd_per_call, idle.break_even_calls) == (0, None, None)
    assert month.total_usd == Decimal(7)


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        ("0", "$0.00"),
        ("0.000026", "$0.000026"),
        ("0.0045", "$0.0045"),
        ("0.01", "$0.01"),
        ("0.012", "$0.012"),
        ("0.0996", "$0.10"),
        ("0.5", "$0.50"),
        ("12.3", "$12.30"),
    ],
)
def test_small_amounts_keep_two_digits_that_say_something(usd, shown):
    """$0.0075 of $0.012 adds up; of $0.01 it would not."""
    assert show_usd(Decimal(usd)) == shown
