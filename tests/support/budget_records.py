"""Budgets for tests: short ones that turn soon."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from noctule.core.budgets.budget_ledger import Charge, HoldRequest
from noctule.core.budgets.budgets import Budget, BudgetKey
from noctule.core.times.windows import Window, WindowKind
from tests.support.stored_records import NOON

HOUR = timedelta(hours=1)


def a_budget(
    name: str = "daily",
    usd: str = "1",
    kind: WindowKind = WindowKind.FIRST_USE,
    length: timedelta = HOUR,
    **changes: Any,
) -> Budget:
    """Return a budget whose window starts with its first use and lasts an hour."""
    return Budget(BudgetKey(name), Decimal(usd), Window(kind, length), **changes)


def a_claim(
    name: str,
    usd: str,
    *budgets: Budget,
    at: datetime = NOON,
    most: timedelta = timedelta(minutes=6),
) -> HoldRequest:
    """Return a call that may cost so much, and is given up for dead six minutes later."""
    return HoldRequest(name, Decimal(usd), budgets or (a_budget(),), at + most)


def a_bill(name: str, usd: str, *budgets: Budget) -> Charge:
    """Return what a call cost."""
    return Charge(name, Decimal(usd), budgets or (a_budget(),))
