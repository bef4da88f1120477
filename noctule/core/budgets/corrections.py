"""Corrections: money that was counted and is taken back, with the reason on record."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from noctule.core.budgets.budgets import BudgetKey


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person took back from a budget.

    Args:
        id: sortable by time.
        key: the budget.
        usd: what does not count any more; more than 0.
        calls: how many calls it had been counted for: their processes died, and nobody knows what
            they cost.
        why: the reason, in the person's words.
        at: when.
    """

    id: str
    key: BudgetKey
    usd: Decimal
    calls: int
    why: str
    at: datetime
