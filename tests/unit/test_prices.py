from datetime import UTC, datetime
from decimal import Decimal

import pytest

from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings, PriceSettings
from noctule.models.spend.prices import FREE, Prices

AT = datetime(2026, 11, 1, tzinfo=UTC)
MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
OWN_PRICE = PriceSettings(input=Decimal(3), output=Decimal(4))
UNKNOWN = (None, None)

ENDPOINTS = {
    "local": EndpointSettings(kind=EndpointKind.OLLAMA),
    "claude": EndpointSettings(kind=EndpointKind.ANTHROPIC),
    "openai": EndpointSettings(kind=EndpointKind.OPENAI),
    "router": EndpointSettings(kind=EndpointKind.OPENAI, url="https://openrouter.ai/api/v1"),
    "flat": EndpointSettings(kind=EndpointKind.OPENAI, url="https://flat.example/v1"),
}


@pytest.fixture
def prices() -> Prices:
    models = {
        "qwen": ModelSettings(endpoint="local", name="qwen3.5:latest"),
        "cloudy": ModelSettings(endpoint="local", name="gpt-oss:120b-cloud", local=False),
        "priced": ModelSettings(endpoint="local", name="qwen3.5:latest", price=OWN_PRICE),
        "haiku": ModelSettings(endpoint="claude", name="claude-haiku-4-5"),
        "mine": ModelSettings(endpoint="claude", name="claude-haiku-4-5", price=OWN_PRICE),
        "mini": ModelSettings(endpoint="openai", name="gpt-5-mini"),
        "routed": ModelSettings(endpoint="router", name="openai/gpt-5-mini"),
        "new": ModelSettings(endpoint="openai", name="gpt-99-imaginary"),
        "flat": ModelSettings(endpoint="flat", name="gpt-5-mini"),
    }
    return Prices(ENDPOINTS, models)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("haiku", (Decimal(6), CostSource.LIBRARY)),  # 1 + 5
        ("mini", (Decimal("2.25"), CostSource.LIBRARY)),  # 0.25 + 2
        ("routed", (Decimal("2.25"), CostSource.LIBRARY)),
        ("mine", (Decimal(7), CostSource.CONFIG)),  # 3 + 4
        ("priced", (Decimal(7), CostSource.CONFIG)),
        ("qwen", (Decimal(0), CostSource.LOCAL)),
        ("cloudy", UNKNOWN),
        ("new", UNKNOWN),
        ("flat", UNKNOWN),
    ],
)
def test_the_strongest_source_that_knows_says_the_cost(prices, model, expected):
    """Configuration before local before library; a model or host nobody knows stays unknown."""
    assert prices.cost(model, MILLION, AT) == expected


def test_what_the_provider_reports_comes_before_everything(prices):
    """Also before a configured price, and on a machine of one's own."""
    usage = Usage(input_tokens=10, output_tokens=1, reported_usd=Decimal("0.5"))
    for model in ("haiku", "mine", "qwen", "flat"):
        assert prices.cost(model, usage, AT) == (Decimal("0.5"), CostSource.PROVIDER)


def test_the_list_cost_does_not_look_at_the_report(prices):
    """It answers what the same tokens would have cost elsewhere."""
    usage = Usage(input_tokens=1_000_000, output_tokens=0, reported_usd=Decimal("0.5"))
    assert prices.list_cost("haiku", usage, AT) == (Decimal(1), CostSource.LIBRARY)


def test_cached_tokens_are_billed_once_by_the_library_too(prices):
    """Its input is the whole prompt, cache included, as ours is."""
    usage = Usage(
        input_tokens=1_000_000,
        output_tokens=0,
        cached_tokens=600_000,
        cache_write_tokens=100_000,
    )
    # 0.3 M fresh x 1.00 + 0.6 M read x 0.10 + 0.1 M written x 1.25
    assert prices.cost("haiku", usage, AT)[0] == Decimal("0.485")


def test_parts_larger_than_the_whole_do_not_lose_the_cost(prices):
    """A provider that counts badly still gives a cost."""
    usage = Usage(input_tokens=1_000, output_tokens=0, cached_tokens=60_000)
    assert prices.cost("haiku", usage, AT) == (Decimal("0.0001"), CostSource.LIBRARY)


@pytest.mark.parametrize("model", ["haiku", "mine"])
def test_unknown_usage_is_an_unknown_cost(prices, model):
    """Never 0."""
    assert prices.cost(model, Usage(), AT) == UNKNOWN


def test_a_local_call_is_free_whatever_was_counted(prices):
    """By declaration; what the machine costs is said with ``monthly_usd``."""
    assert prices.cost("qwen", Usage(), AT) == (Decimal(0), CostSource.LOCAL)


def test_prices_can_be_read(prices):
    """Per million tokens, with the cache prices where the library has them."""
    price, source = prices.price_of("haiku", AT)
    assert source is CostSource.LIBRARY
    assert (price.input, price.output) == (1, 5)
    assert (price.cached_input, price.cache_write) == (Decimal("0.1"), Decimal("1.25"))
    assert prices.price_of("mine", AT) == (OWN_PRICE, CostSource.CONFIG)
    assert prices.price_of("qwen", AT) == (FREE, CostSource.LOCAL)
    assert prices.price_of("flat", AT) == UNKNOWN


def test_loading_ahead_changes_nothing(prices):
    """It only takes the time earlier."""
    prices.load()
    assert prices.cost("haiku", MILLION, AT)[0] == 6


def test_a_reported_zero_is_unknown_but_from_openrouter(prices):
    """Gateways write 0 for what they have no price of: the configured price counts."""
    usage = Usage(input_tokens=1000, output_tokens=5010, reported_usd=Decimal(0))
    own = prices.cost("mine", usage, AT)
    assert own == (Decimal("0.02304"), CostSource.CONFIG)  # 1000 * 3 + 5010 * 4 per million
    assert prices.cost("flat", usage, AT) == UNKNOWN
    assert prices.cost("qwen", usage, AT) == (Decimal(0), CostSource.LOCAL)
    assert prices.cost("routed", usage, AT) == (Decimal(0), CostSource.PROVIDER)
