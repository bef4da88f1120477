"""Prices: what a call cost, from the strongest source that knows.

The provider's own report (0 from OpenRouter alone), then the configuration, then "local is free",
then the price library (``genai-prices``, offline), else unknown. Unknown is None and stays None: a
zero would look like a saving.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.llm.pricing import TOKENS_PER_PRICE, cost_of, split_input
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings, PriceSettings
from noctule.models.wire.dialects import dialect_of

FREE = PriceSettings(input=Decimal(0), output=Decimal(0))

_OWN_URLS = {
    EndpointKind.ANTHROPIC: "https://api.anthropic.com",
    EndpointKind.OPENAI: "https://api.openai.com/v1",
}
_SAMPLE_TOKENS = 1000  # small enough to stay in the first tier of prices that grow with the prompt


class Prices:
    """The prices of the configured models.

    Args:
        endpoints: the configured endpoints by name.
        models: the configured models by name.
    """

    def __init__(
        self, endpoints: Mapping[str, EndpointSettings], models: Mapping[str, ModelSettings]
    ) -> None:
        self._endpoints = endpoints
        self._models = models

    def load(self) -> None:
        """Import the price library and read its data: 0.2 s, so call it in a thread.

        Without it the first cost that needs the library takes so long.
        """
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - heavy

        get_snapshot()

    def cost(
        self, model: str, usage: Usage, at: datetime
    ) -> tuple[Decimal | None, CostSource | None]:
        """Return what a call cost in USD and who says so.

        Args:
            model: its name in the configuration.
            usage: as the provider reported it.
            at: when it was made; prices change.

        Returns:
            (None, None) when it is unknown.

        Raises:
            KeyError: there is no such model.
        """
        if usage.reported_usd or (usage.reported_usd == 0 and self._knows_its_prices(model)):
            return usage.reported_usd, CostSource.PROVIDER
        return self.list_cost(model, usage, at)

    def _knows_its_prices(self, model: str) -> bool:
        """Whether a reported cost of 0 is one: gateways write 0 for what they have no price of."""
        url = self._endpoints[self._models[model].endpoint].url
        return dialect_of(url).name == "openrouter"

    def list_cost(
        self, model: str, usage: Usage, at: datetime
    ) -> tuple[Decimal | None, CostSource | None]:
        """Return what these tokens cost on a model by its list price, whoever served them.

        For holds (with the most tokens a call can take) and for "all of it on MODEL"; a cost that
        some provider reported does not count here. Arguments, returns and raises as ``cost``.
        """
        settings = self._models[model]
        if settings.price is not None:
            return _sourced(cost_of(usage, settings.price), CostSource.CONFIG)
        if self._is_free(settings):
            return Decimal(0), CostSource.LOCAL
        return _sourced(self._library_cost(settings, usage, at), CostSource.LIBRARY)

    def price_of(self, model: str, at: datetime) -> tuple[PriceSettings | None, CostSource | None]:
        """Return a model's list price in USD per million tokens, for people to read.

        Where a price grows with the length of the prompt it is that of short prompts.

        Args:
            model: its name in the configuration.
            at: the moment it is asked for.

        Returns:
            (None, None) when it is unknown.

        Raises:
            KeyError: there is no such model.
        """
        settings = self._models[model]
        if settings.price is not None:
            return settings.price, CostSource.CONFIG
        if self._is_free(settings):
            return FREE, CostSource.LOCAL
        kinds = (
            Usage(_SAMPLE_TOKENS, 0),
            Usage(0, _SAMPLE_TOKENS),
            Usage(_SAMPLE_TOKENS, 0, cached_tokens=_SAMPLE_TOKENS),
            Usage(_SAMPLE_TOKENS, 0, cache_write_tokens=_SAMPLE_TOKENS),
        )
        costs = [self._library_cost(settings, usage, at) for usage in kinds]
        prices = [c * TOKENS_PER_PRICE / _SAMPLE_TOKENS for c in costs if c is not None]
        if len(prices) < len(kinds):
            return None, None
        return (
            PriceSettings(
                input=prices[0], output=prices[1], cached_input=prices[2], cache_write=prices[3]
            ),
            CostSource.LIBRARY,
        )

    def _is_free(self, settings: ModelSettings) -> bool:
        if settings.local is not None:
            return settings.local
        return self._endpoints[settings.endpoint].is_free

    def _library_cost(self, settings: ModelSettings, usage: Usage, at: datetime) -> Decimal | None:
        """Ask the library about the endpoint's own host; another's price would be a guess."""
        endpoint = self._endpoints[settings.endpoint]
        url = endpoint.url or _OWN_URLS.get(endpoint.kind)
        if url is None or usage.input_tokens is None or usage.output_tokens is None:
            return None
        from genai_prices import Usage as Tokens  # noqa: PLC0415 - heavy
        from genai_prices import calc_price  # noqa: PLC0415 - heavy

        _, read, written = split_input(usage)
        tokens = Tokens(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=read,
            cache_write_tokens=written,
        )
        try:
            found = calc_price(
                tokens, settings.name, provider_api_url=url, genai_request_timestamp=at
            )
        except (LookupError, ValueError):
            return None  # it does not know the host or the model, or has no price for such tokens
        return Decimal(found.total_price)


def _sourced(cost: Decimal | None, source: CostSource) -> tuple[Decimal | None, CostSource | None]:
    return (None, None) if cost is None else (cost, source)
