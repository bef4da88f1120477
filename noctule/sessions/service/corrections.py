"""Forgiving: what counts for calls of processes that died is taken back, with a reason."""

from collections.abc import Iterable

from noctule.core.base.ids import new_id
from noctule.core.budgets.budgets import Budget, HoldState
from noctule.core.budgets.corrections import Correction
from noctule.core.clock import Clock
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.ports.wake_queue import wake_all


async def forgive(
    database: Database, budgets: Iterable[Budget], why: str, clock: Clock
) -> tuple[list[Correction], int]:
    """Take back, from some budgets, what counts for calls that never reported a cost.

    What providers reported stays counted. Who sleeps on such a budget goes on, in order.

    Args:
        database: where budgets are kept.
        budgets: which, as configured now.
        why: the reason, for the record.
        clock: the time.

    Returns:
        What was taken back, by budget, and how many branches of turns go on.
    """
    found, woken = [], 0
    for budget in budgets:
        async with database.work() as work:
            correction = await _forgive(work, budget, why, clock)
            if correction is not None:
                found.append(correction)
                woken += await wake_all(work, budget.key.limit_key, clock.now())
            await work.commit()
    return found, woken


async def _forgive(work: UnitOfWork, budget: Budget, why: str, clock: Clock) -> Correction | None:
    spent = await work.budgets.spent(budget.key)
    recovered = [hold.id for hold in spent if hold.state is HoldState.RECOVERED]
    books = await work.budgets.open_books((budget,), recovered, clock.now())
    usd, calls = books.forgive(budget)
    await work.budgets.keep(books)
    if not calls:
        return None
    correction = Correction(new_id(clock), budget.key, usd, calls, why, clock.now())
    await work.budgets.correct(correction)
    return correction
