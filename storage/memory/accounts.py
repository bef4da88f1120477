"""What providers say of the money of keys."""

from noctule.core.accounts import Account
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction


class MemoryAccounts:
    """What providers say of the money of keys."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def put(self, account: Account) -> None:
        """Store or replace what is known of a key."""
        tables = await self._transaction.writing("accounts")
        tables.accounts[account.endpoint, account.key_fingerprint] = stored(account)

    async def list(self) -> list[Account]:
        """Return everything that is known, in order of endpoint and key."""
        accounts = (await self._transaction.reading()).accounts
        return [accounts[key] for key in sorted(accounts)]
