"""What several attempts cost together, when some of their costs are not known."""

from collections.abc import Iterable
from decimal import Decimal

from noctule.core.llm.attempts import Attempt


def total_usd(attempts: Iterable[Attempt]) -> Decimal | None:
    """Return what attempts cost in all; None when the cost of one is not known.

    What was turned away, or never left because there was no connection, has a known cost of 0. What
    broke off on the way has not: the provider may have worked on it and bill it.
    """
    total = Decimal(0)
    for attempt in attempts:
        if attempt.cost_usd is None:
            return None
        total += attempt.cost_usd
    return total
