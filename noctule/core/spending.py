"""What several attempts cost together, when some of their costs are not known."""

from collections.abc import Iterable
from decimal import Decimal

from noctule.core.attempts import Attempt
from noctule.core.outcomes import Outcome


def total_usd(attempts: Iterable[Attempt]) -> Decimal | None:
    """Return what attempts cost in all; None when one that was worked on has no known cost.

    An attempt that never came to a token, like a connection that was refused, adds nothing.
    """
    total = Decimal(0)
    for attempt in attempts:
        if attempt.cost_usd is not None:
            total += attempt.cost_usd
        elif _was_worked_on(attempt):
            return None
    return total


def _was_worked_on(attempt: Attempt) -> bool:
    counts = (attempt.usage.input_tokens, attempt.usage.output_tokens, attempt.first_token_s)
    return attempt.outcome is Outcome.SUCCESS or any(count is not None for count in counts)
