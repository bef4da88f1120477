import json
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from noctule.core.attempts import Usage
from noctule.core.pricing import cost_of
from noctule.core.settings import PriceSettings
from noctule.models.bounds import most_input_tokens, most_output_tokens, most_usd
from noctule.models.call import Call
from noctule.models.prices import Prices
from tests.support.stage import make_settings

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PRICES = st.builds(
    PriceSettings,
    input=st.decimals(0, 100, places=2),
    output=st.decimals(0, 100, places=2),
    cached_input=st.none() | st.decimals(0, 100, places=2),
    cache_write=st.none() | st.decimals(0, 100, places=2),
)
TOKENS = st.integers(0, 100_000)


@given(st.lists(st.text(), max_size=4), st.text())
def test_a_prompt_has_no_more_tokens_than_bytes(texts: list[str], system: str) -> None:
    """Whatever is written, in whatever script, is counted byte by byte."""
    messages = [SystemMessage(system), *map(HumanMessage, texts)]
    size = sum(len(text.encode(errors="replace")) for text in (system, *texts))
    assert most_input_tokens(Call(messages=messages)) > size


def test_everything_that_is_sent_counts() -> None:
    """Tool calls and their results, tool definitions, schemas, pictures, further arguments."""
    plain = most_input_tokens(Call(messages=[HumanMessage("x")]))
    arguments = {"text": "y" * 500}
    calls = AIMessage("", tool_calls=[{"name": "look", "args": arguments, "id": "1"}])
    assert most_input_tokens(Call(messages=[HumanMessage("x"), calls])) > plain + 500
    result = ToolMessage("z" * 500, tool_call_id="1")
    assert most_input_tokens(Call(messages=[HumanMessage("x"), result])) > plain + 500
    tool = {"name": "look", "description": "d" * 500, "parameters": {"type": "object"}}
    assert most_input_tokens(Call(messages=[HumanMessage("x")], tools=[tool])) > plain + 500
    schema = {"title": "A", "type": "object", "description": "s" * 500}
    held = Call(messages=[HumanMessage("x")], json_schema=schema)
    assert most_input_tokens(held) > plain + 2 * len(json.dumps(schema))
    picture = HumanMessage([{"type": "image_url", "image_url": {"url": "https://host/a.png"}}])
    assert most_input_tokens(Call(messages=[picture])) > plain + 10_000
    more = Call(messages=[HumanMessage("x")], extra={"prefix": "p" * 500})
    assert most_input_tokens(more) > plain + 500


def test_the_answer_is_bounded_by_whatever_says_most() -> None:
    """A body that says more than the call, and several answers at once."""
    assert most_output_tokens(100) == 100
    assert most_output_tokens(100, {"max_tokens": 50}, {}) == 100
    assert most_output_tokens(100, {"max_completion_tokens": 900}) == 900
    assert most_output_tokens(100, {"n": 3}) == 300


@given(PRICES, TOKENS, TOKENS, st.data())
def test_no_call_costs_more_than_its_bound(
    price: PriceSettings, sent: int, received: int, data: st.DataObject
) -> None:
    """However much of the prompt is read from a cache or written to it, or thought about."""
    settings = make_settings(models={"first": {"price": price.model_dump()}})
    prices = Prices(settings.endpoints, settings.models)
    bound = most_usd(prices.list_cost, "first", NOW, input_tokens=sent, output_tokens=received)
    assert bound is not None
    real_sent = data.draw(st.integers(0, sent))
    read = data.draw(st.integers(0, real_sent))
    usage = Usage(
        real_sent,
        data.draw(st.integers(0, received)),
        cached_tokens=read,
        cache_write_tokens=data.draw(st.integers(0, real_sent - read)),
    )
    cost = cost_of(usage, price)
    assert cost is not None
    assert cost <= bound


def test_an_unknown_price_has_no_bound() -> None:
    """None, never 0."""
    settings = make_settings(models={"first": {"local": False}})
    prices = Prices(settings.endpoints, settings.models)
    bound = most_usd(prices.list_cost, "first", NOW, input_tokens=1, output_tokens=1)
    assert bound is None
    free = most_usd(prices.list_cost, "third", NOW, input_tokens=1, output_tokens=1)
    assert free == Decimal(0)
