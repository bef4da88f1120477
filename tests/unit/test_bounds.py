import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from noctule.core.llm.attempts import Usage
from noctule.core.llm.pricing import cost_of
from noctule.core.settings import PriceSettings
from noctule.models.request.chat_request import ChatRequest
from noctule.models.request.meter import Meter
from noctule.models.spend.cost_bounds import most_input_tokens, most_output_tokens, most_usd
from noctule.models.spend.prices import Prices
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
FIXTURE = Path(__file__).parents[1] / "fixtures" / "token_counts.json"
COUNTED = json.loads(FIXTURE.read_text(encoding="utf-8"))
"""Texts, and how many tokens they take of four tokenizers; see ``test_meter``."""
TIMES = 20
"""How often a text is repeated, so that what a bound adds to each call does not matter."""


@given(st.lists(st.text(), max_size=4), st.text())
def test_a_prompt_has_no_more_tokens_than_bytes(texts: list[str], system: str) -> None:
    """Whatever is written, in whatever script, is counted byte by byte."""
    messages = [SystemMessage(system), *map(HumanMessage, texts)]
    size = sum(len(text.encode(errors="replace")) for text in (system, *texts))
    assert most_input_tokens(ChatRequest(messages=messages)) > size


def test_a_calibrated_bound_is_above_what_every_tokenizer_takes() -> None:
    """Learned from three texts of one kind, it holds for all kinds, and is never above bytes."""
    longs = [(text * TIMES, [count * TIMES for count in counts]) for text, *counts in COUNTED]
    wrong, nearer, looked = [], 0, 0
    for tokenizer in range(4):
        for start in range(0, len(longs) - 3, 3):
            meter = Meter()
            for text, counts in longs[start : start + 3]:
                meter.learn([HumanMessage(text)], (), counts[tokenizer])
            for text, counts in longs:
                call = ChatRequest(messages=[HumanMessage(text)])
                most, plain = most_input_tokens(call, meter), most_input_tokens(call)
                nearer, looked = nearer + (most < plain * 0.7), looked + 1
                if not counts[tokenizer] <= most <= plain:
                    wrong.append((tokenizer, text[:40], counts[tokenizer], most, plain))
    assert wrong == []
    assert nearer > looked / 3  # the rest is code, JSON and scripts of few bytes a token


def test_bytes_count_until_three_reports_and_after_one_above_the_bound() -> None:
    """Too few reports prove nothing, and a bound that was once too low is not used again."""
    call = ChatRequest(messages=[HumanMessage("some plain words of a page, then more. " * 100)])
    plain, meter = most_input_tokens(call), Meter()
    for number in range(3):
        assert most_input_tokens(call, meter) == plain
        meter.learn([HumanMessage(f"{number} some other words " * 50)], (), 200)
    assert most_input_tokens(call, meter) < plain
    meter.learn(call.messages, (), most_input_tokens(call, meter))
    assert most_input_tokens(call, meter) == plain


def test_pictures_are_never_taken_from_a_meter() -> None:
    """What a picture costs is the provider's own affair: the dearest tiling is held for it."""
    meter = Meter()
    for number in range(3):
        meter.learn([HumanMessage(f"{number} some other words " * 50)], (), 200)
    picture = {"type": "image_url", "image_url": {"url": "https://host/a.png"}}
    call = ChatRequest(messages=[HumanMessage(["Look at this. " * 200, picture])])
    assert meter.is_calibrated
    assert most_input_tokens(call, meter) == most_input_tokens(call)


@given(st.lists(st.text(), max_size=4), st.lists(st.integers(30, 900), max_size=6))
def test_no_meter_raises_a_bound(texts: list[str], reports: list[int]) -> None:
    """Whatever was reported, the bytes stay the most."""
    meter = Meter()
    for number, tokens in enumerate(reports):
        meter.learn([HumanMessage(f"{number} some other words " * 50)], (), tokens)
    call = ChatRequest(messages=[HumanMessage(text) for text in texts])
    assert most_input_tokens(call, meter) <= most_input_tokens(call)


def test_everything_that_is_sent_counts() -> None:
    """Tool calls and their results, tool definitions, schemas, pictures, further arguments."""
    plain = most_input_tokens(ChatRequest(messages=[HumanMessage("x")]))
    arguments = {"text": "y" * 500}
    calls = AIMessage("", tool_calls=[{"name": "look", "args": arguments, "id": "1"}])
    assert most_input_tokens(ChatRequest(messages=[HumanMessage("x"), calls])) > plain + 500
    result = ToolMessage("z" * 500, tool_call_id="1")
    assert most_input_tokens(ChatRequest(messages=[HumanMessage("x"), result])) > plain + 500
    tool = {"name": "look", "description": "d" * 500, "parameters": {"type": "object"}}
    assert most_input_tokens(ChatRequest(messages=[HumanMessage("x")], tools=[tool])) > plain + 500
    schema = {"title": "A", "type": "object", "description": "s" * 500}
    held = ChatRequest(messages=[HumanMessage("x")], json_schema=schema)
    assert most_input_tokens(held) > plain + 2 * len(json.dumps(schema))
    picture = HumanMessage([{"type": "image_url", "image_url": {"url": "https://host/a.png"}}])
    assert most_input_tokens(ChatRequest(messages=[picture])) > plain + 10_000
    more = ChatRequest(messages=[HumanMessage("x")], extra={"prefix": "p" * 500})
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
