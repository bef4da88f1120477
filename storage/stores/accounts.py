"""What providers say of the money of keys."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.budgets.accounts import Account, Statement
from storage.base.transaction import Transaction
from storage.base.upsert import upsert
from storage.tables.accounts import accounts

_PUT = upsert(accounts)
_SELECT = sa.select(accounts)


class SqlAccounts:
    """What providers say of the money of keys."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, account: Account) -> None:
        """Store or replace what is known of a key."""
        await self._transaction.run(_put, account)

    async def list(self) -> list[Account]:
        """Return everything that is known, in order of endpoint and key."""
        return await self._transaction.run(_list)


def _put(connection: Connection, account: Account) -> None:
    said = account.statement
    values = {
        "endpoint": account.endpoint,
        "key_fingerprint": account.key_fingerprint,
        "asked_at": account.asked_at,
        "trouble": account.trouble,
        "answered_at": account.answered_at,
        "limit_nano_usd": said.limit_usd if said else None,
        "spent_nano_usd": said.spent_usd if said else None,
        "left_nano_usd": said.left_usd if said else None,
        "unlimited": said.unlimited if said else False,
        "resets_at": said.resets_at if said else None,
        "never_resets": said.never_resets if said else False,
        "words": said.words if said else None,
    }
    connection.execute(_PUT[connection.dialect.name], values)


def _list(connection: Connection) -> list[Account]:
    # Sorted here: the two databases would order names by different alphabets.
    found = [_account(row) for row in connection.execute(_SELECT)]
    return sorted(found, key=lambda account: (account.endpoint, account.key_fingerprint))


def _account(row: sa.Row[Any]) -> Account:
    return Account(
        endpoint=row.endpoint,
        key_fingerprint=row.key_fingerprint,
        asked_at=row.asked_at,
        trouble=row.trouble,
        answered_at=row.answered_at,
        statement=None if row.words is None else _statement(row),
    )


def _statement(row: sa.Row[Any]) -> Statement:
    return Statement(
        limit_usd=row.limit_nano_usd,
        spent_usd=row.spent_nano_usd,
        left_usd=row.left_nano_usd,
        unlimited=row.unlimited,
        resets_at=row.resets_at,
        never_resets=row.never_resets,
        words=row.words,
    )
