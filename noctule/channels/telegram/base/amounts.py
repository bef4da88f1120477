"""Amounts: what something cost, in words where nobody knows."""

from decimal import Decimal

from noctule.core.base.money import show_usd


def shown_cost(usd: Decimal | None) -> str:
    """Return an amount as a phone shows it; None: no price is known."""
    return "unknown cost" if usd is None else show_usd(usd)
