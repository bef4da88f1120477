"""A process that is killed in the middle of paying: ``python -m tests.support.budget_victim``.

It says where it is and then waits to be killed.
"""

import asyncio
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import noctule  # noqa: F401 - first: it puts the role folders on the path
from noctule.core.budgets.budget_ledger import Charge, HoldRequest
from noctule.core.clock import SystemClock
from storage.open import open_database
from tests.support.budget_records import a_budget


async def _pay(url: str, point: str) -> None:
    clock, budget = SystemClock(), a_budget()
    database = await open_database(url, data_folder=Path(), clock=clock)
    claim = HoldRequest("victim", Decimal("0.60"), (budget,), clock.now() + timedelta(minutes=6))
    async with database.work() as work:
        books = await work.budgets.open_books((budget,), [], clock.now())
        books.place(claim)
        await work.budgets.keep(books)
        if point == "in-hold":
            await _wait(point)
        await work.commit()
    if point == "after-hold":
        await _wait(point)
    async with database.work() as work:
        books = await work.budgets.open_books((budget,), [claim.id], clock.now())
        books.settle(Charge(claim.id, Decimal("0.20"), (budget,)))
        await work.budgets.keep(books)
        if point == "in-settle":
            await _wait(point)
        await work.commit()
    await _wait(point)


async def _wait(point: str) -> None:
    sys.stdout.write(f"{point}\n")
    sys.stdout.flush()
    await SystemClock().sleep(60)


if __name__ == "__main__":
    asyncio.run(_pay(*sys.argv[1:]))
