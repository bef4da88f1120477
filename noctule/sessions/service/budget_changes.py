"""Budgets that were raised or taken away, accounts that were filled: who sleeps on them goes on."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from noctule.core.budgets.accounts import Account, account_endpoint, account_key
from noctule.core.budgets.budget_scopes import RUN_BUDGET, BudgetScopes
from noctule.core.budgets.budgets import BudgetKey
from noctule.core.clock import Clock
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.ports.wake_queue import wake_all
from noctule.core.provider_errors.outcomes import Outcome


async def wake_raised(database: Database, coverage: BudgetScopes, clock: Clock) -> int:
    """Wake, in order, who sleeps on budgets that the configuration has raised or dropped.

    Args:
        database: where budgets keep the limit they were last used with.
        coverage: the configuration as it is now.
        clock: the time.

    Returns:
        How many branches of turns go on.
    """
    async with database.read() as work:
        limits = {tally.key: tally.usd for tally in await work.budgets.tallies()}
        sleeping = {parking.key for parking in await work.parkings.all_open() if parking.key}
    raised = []
    for key in sleeping:
        budget = BudgetKey.of(key)
        if budget is None or budget.name == RUN_BUDGET:
            continue
        endpoint = account_endpoint(budget)
        if endpoint is not None and coverage.asks_account(endpoint):
            continue
        now = coverage.find(budget)
        if now is None or now.usd > limits.get(budget, Decimal(0)):
            raised.append(key)
    if not raised:
        return 0
    async with database.work() as work:
        await work.parkings.line_up(raised)
        woken = [await wake_all(work, key, clock.now()) for key in raised]
        await work.commit()
    return sum(woken)


async def wake_filled(database: Database, accounts: Iterable[Account], clock: Clock) -> int:
    """Store what providers say now, and wake, in order, who sleeps on those that have money left.

    That their quota was used up is forgotten with it: the next call tries.

    Args:
        database: where views are kept.
        accounts: what they say.
        clock: the time.

    Returns:
        How many branches of turns go on.
    """
    now, woken = clock.now(), 0
    async with database.work() as work:
        for account in accounts:
            await work.accounts.put(account)
            said = account.now(now)
            if said is not None and (said.left_usd is None or said.left_usd > 0):
                woken += await wake_all(work, account_key(account.endpoint).limit_key, now)
                woken += await _forget_quota(work, account.endpoint, now)
        await work.commit()
    return woken


async def _forget_quota(work: UnitOfWork, endpoint: str, now: datetime) -> int:
    woken = 0
    for limit in await work.limits.list():
        if limit.key.endpoint == endpoint and limit.outcome is Outcome.QUOTA_EXHAUSTED:
            await work.limits.clear(limit.key)
            woken += await wake_all(work, limit.key, now)
    return woken


async def raise_run(work: UnitOfWork, session_id: str, usd: Decimal | None, now: datetime) -> int:
    """Change what a session may spend in all, and wake it if it sleeps on that.

    Args:
        work: the transaction to do it in.
        session_id: which.
        usd: in USD; None takes the bound away.
        now: when it wakes.
    """
    await work.sessions.set_budget(session_id, usd)
    return await wake_all(work, BudgetKey(RUN_BUDGET, session_id).limit_key, now)
