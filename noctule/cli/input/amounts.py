"""Amounts of money as people type them: ``2``, ``0.50``, ``$2``."""

from decimal import Decimal, InvalidOperation

from noctule.core.errors import UsageError


def parse_usd(text: str) -> Decimal:
    """Read an amount in USD.

    Raises:
        UsageError: it is none, or below 0.
    """
    try:
        usd = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        usd = Decimal(-1)
    if not usd.is_finite() or usd < 0:
        raise UsageError(f"{text!r} is not a valid USD amount. Use e.g. 2 or 0.50.")
    return usd
