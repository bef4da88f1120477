"""Dollars without rounding errors: Decimal in code, whole nano-dollars in the database."""

from decimal import ROUND_CEILING, Decimal

NANOS_PER_USD = 1_000_000_000


def to_nanos(usd: Decimal) -> int:
    """Return whole nano-dollars, rounded up so that a cost is never understated."""
    return int((usd * NANOS_PER_USD).to_integral_value(rounding=ROUND_CEILING))


def from_nanos(nanos: int) -> Decimal:
    """Return the dollars of a stored amount."""
    return Decimal(nanos) / NANOS_PER_USD


def show_usd(usd: Decimal | None) -> str:
    """Write an amount for people: ``$0.00``, ``$0.0004``, ``$12.30``; ``$?`` for None (unknown).

    Below ten cents there are two digits that say something, so that what is spent and left of a
    small budget adds up before their eyes.
    """
    if usd is None:
        return "$?"
    if usd == 0 or usd >= Decimal("0.1"):
        return f"${usd:.2f}"
    if usd >= Decimal("0.01"):
        return f"${usd:.3f}".removesuffix("0")
    return f"${usd:.2g}" if usd >= Decimal("0.000001") else "<$0.000001"
