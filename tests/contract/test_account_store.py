from dataclasses import replace
from decimal import Decimal

from noctule.core.budgets.accounts import Account, Statement
from noctule.core.ports.database import Database
from tests.support.stored_records import later

SAID = Statement(
    limit_usd=Decimal("5.000000001"),
    spent_usd=None,
    left_usd=Decimal("-0.25"),
    resets_at=later(3600),
    words="limit 5.000000001, limit_remaining -0.25",
)
UNLIMITED = Statement(None, Decimal(3), None, unlimited=True, never_resets=True)
ACCOUNTS = [
    Account("Cloud", "f1", later(1), None, later(1), SAID),
    Account("cloud", "", later(2), "It did not answer."),
    Account("cloud", "f1", later(3), "It answered 500.", later(1), UNLIMITED),
]


async def test_accounts_come_back_in_order(database: Database) -> None:
    """Of endpoint and key; what nobody knows stays unknown, overdrawn stays below 0."""
    async with database.work() as work:
        for account in reversed(ACCOUNTS):
            await work.accounts.put(account)
        await work.commit()
    async with database.read() as work:
        assert await work.accounts.list() == ACCOUNTS


async def test_a_later_view_replaces_that_of_its_key(database: Database) -> None:
    """One key of an endpoint has one view."""
    newer = replace(ACCOUNTS[0], asked_at=later(9), answered_at=later(9), statement=UNLIMITED)
    async with database.work() as work:
        await work.accounts.put(ACCOUNTS[0])
        await work.accounts.put(newer)
        assert await work.accounts.list() == [newer]
        empty = replace(newer, trouble="It did not answer.", answered_at=None, statement=None)
        await work.accounts.put(empty)
        assert await work.accounts.list() == [empty]
