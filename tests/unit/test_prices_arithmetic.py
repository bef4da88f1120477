from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from noctule.core.llm.attempts import Usage
from noctule.core.llm.pricing import cost_of, split_input
from noctule.core.settings.model import PriceSettings

HAIKU = PriceSettings(
    input=Decimal("1.00"),
    output=Decimal("5.00"),
    cached_input=Decimal("0.10"),
    cache_write=Decimal("1.25"),
)

counts = st.integers(0, 2_000_000)
parts = st.none() | counts
money = st.decimals(0, 100, places=4)
usages = st.builds(
    Usage,
    input_tokens=counts,
    output_tokens=counts,
    cached_tokens=parts,
    cache_write_tokens=parts,
    reasoning_tokens=parts,
)
prices = st.builds(
    PriceSettings,
    input=money,
    output=money,
    cached_input=st.none() | money,
    cache_write=st.none() | money,
)


def test_every_token_is_billed_once():
    """A call with cached tokens, by hand."""
    usage = Usage(
        input_tokens=10_000,
        output_tokens=1_000,
        cached_tokens=6_000,
        cache_write_tokens=3_000,
        reasoning_tokens=400,
    )
    # 1000 fresh x 1.00 + 6000 read x 0.10 + 3000 written x 1.25 + 1000 out x 5.00, per million
    # = 0.001 + 0.0006 + 0.00375 + 0.005
    assert cost_of(usage, HAIKU) == Decimal("0.01035")


def test_a_cache_price_that_is_unset_is_that_of_the_input():
    """Then it makes no difference where a token came from."""
    plain = PriceSettings(input=Decimal(2), output=Decimal(0))
    cached = Usage(input_tokens=1_000_000, output_tokens=0, cached_tokens=700_000)
    assert cost_of(cached, plain) == 2


def test_an_unknown_count_is_an_unknown_cost():
    """Half a cost is none."""
    assert cost_of(Usage(input_tokens=5), HAIKU) is None
    assert cost_of(Usage(output_tokens=5), HAIKU) is None
    assert cost_of(Usage(), HAIKU) is None


@given(usages)
def test_the_parts_of_the_input_add_up_to_it(usage):
    """Whatever the parts claim, nothing is counted twice or lost."""
    fresh, read, written = split_input(usage)
    assert min(fresh, read, written) >= 0
    assert fresh + read + written == usage.input_tokens


@given(usages, prices)
def test_thinking_is_part_of_the_output(usage, price):
    """How much of the output was thinking changes nothing."""
    plain = Usage(
        usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cache_write_tokens
    )
    assert cost_of(usage, price) == cost_of(plain, price)


@given(usages, prices)
def test_a_cost_lies_between_all_cheap_and_all_dear(usage, price):
    """No token costs less than the cheapest price of its side or more than the dearest."""
    inputs = [p for p in (price.input, price.cached_input, price.cache_write) if p is not None]
    output = usage.output_tokens * price.output
    cost = cost_of(usage, price) * 1_000_000
    assert usage.input_tokens * min(inputs) + output <= cost
    assert cost <= usage.input_tokens * max(inputs) + output


@given(usages, prices, counts)
def test_more_tokens_never_cost_less(usage, price, more):
    """A longer answer costs at least as much."""
    longer = Usage(
        usage.input_tokens,
        usage.output_tokens + more,
        usage.cached_tokens,
        usage.cache_write_tokens,
    )
    assert cost_of(longer, price) >= cost_of(usage, price)
