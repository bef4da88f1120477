"""What a call costs: pure arithmetic on token counts and prices.

Every token is billed exactly once. ``Usage.input_tokens`` includes cache reads and writes, and
``Usage.output_tokens`` includes thinking, so the parts are taken out of the whole before each is
multiplied with its own price.
"""

from decimal import Decimal

from noctule.core.llm.attempts import Usage
from noctule.core.settings.model import PriceSettings

TOKENS_PER_PRICE = 1_000_000
"""Prices are in USD for so many tokens."""


def cost_of(usage: Usage, price: PriceSettings) -> Decimal | None:
    """Return the cost of one call in USD.

    Args:
        usage: what was sent and received. Cached parts that are larger than the whole (a
            provider that counts them apart after all) are cut to fit it: a cost is rather a
            little low than billed twice.
        price: USD per million tokens; a cache price that is unset is that of ``input``.

    Returns:
        None when input or output is not known: a part of a cost is no cost. 0 only when the
        price or the counts are 0.
    """
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    fresh, read, written = split_input(usage)
    read_price = price.input if price.cached_input is None else price.cached_input
    write_price = price.input if price.cache_write is None else price.cache_write
    total = fresh * price.input + read * read_price + written * write_price
    total += usage.output_tokens * price.output
    return total / TOKENS_PER_PRICE


def split_input(usage: Usage) -> tuple[int, int, int]:
    """Split the input into tokens sent fresh, read from the cache and written to it.

    They add up to the whole input whatever the parts claim; unknown parts count as none.
    """
    whole = usage.input_tokens or 0
    read = min(usage.cached_tokens or 0, whole)
    written = min(usage.cache_write_tokens or 0, whole - read)
    return whole - read - written, read, written
