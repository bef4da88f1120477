"""How every budget stands: spent, held, left, until when, and who sleeps on it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from noctule.core.budgets.accounts import Account, Statement, account_endpoint
from noctule.core.budgets.budget_scopes import RUN_BUDGET, BudgetScopes
from noctule.core.budgets.budgets import Budget, BudgetKey, BudgetUsage, Hold
from noctule.core.sessions.parkings import Parking
from noctule.core.sessions.sessions import Session


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One budget, or one part of it.

    Args:
        budget: as configured.
        tally: as it stands; what a rolling window no longer reaches is left out.
        asleep: the sessions that wait for it, in the order in which they fell asleep.
    """

    budget: Budget
    tally: BudgetUsage
    asleep: tuple[str, ...]

    @property
    def left_usd(self) -> Decimal:
        """What may still be held."""
        return self.tally.left_usd


@dataclass(frozen=True, slots=True)
class AccountLine:
    """What the provider of one endpoint says.

    Args:
        endpoint: its configured name.
        account: what is stored; None when it was never asked with the present key.
        statement: what counts of that now; None when nobody knows what is left.
        asleep: the sessions that wait for it, in the order in which they fell asleep.
    """

    endpoint: str
    account: Account | None
    statement: Statement | None
    asleep: tuple[str, ...]

    @property
    def spent_usd(self) -> Decimal | None:
        """What is spent of the limit; None when nobody knows, or when there is no limit."""
        said = self.statement
        if said is None or said.spent_usd is not None:
            return None if said is None else said.spent_usd
        if said.limit_usd is None or said.left_usd is None:
            return None
        return said.limit_usd - said.left_usd


def report_accounts(
    fingerprints: Mapping[str, str],
    *,
    accounts: Iterable[Account],
    parkings: Iterable[Parking],
    now: datetime,
) -> list[AccountLine]:
    """List what the provider of every endpoint with an account says.

    Args:
        fingerprints: those of the keys that ask, by endpoint.
        accounts: what is stored, other keys included.
        parkings: the open ones.
        now: the present moment.
    """
    known = {(account.endpoint, account.key_fingerprint): account for account in accounts}
    asleep: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for parking in parkings:
        endpoint = _whole_account(parking)
        if endpoint is not None:
            asleep[endpoint][parking.session_id] = None
    lines = []
    for endpoint, fingerprint in sorted(fingerprints.items()):
        account = known.get((endpoint, fingerprint))
        said = account.now(now) if account is not None else None
        lines.append(AccountLine(endpoint, account, said, tuple(asleep[endpoint])))
    return lines


def _whole_account(parking: Parking) -> str | None:
    """Return the endpoint whose account a parking waits for, whoever said that it is used up."""
    key = parking.key
    if key is None:
        return None
    budget = BudgetKey.of(key)
    if budget is not None:
        return account_endpoint(budget)
    return key.endpoint if key.model is None else None


def report_budgets(
    coverage: BudgetScopes,
    *,
    tallies: Iterable[BudgetUsage],
    spent: Mapping[BudgetKey, Sequence[Hold]],
    sessions: Iterable[Session],
    parkings: Iterable[Parking],
    now: datetime,
) -> list[BudgetLine]:
    """List every budget that is configured, each with the parts that were ever used.

    Args:
        coverage: the configuration.
        tallies: what is stored; those of budgets that are gone are left out.
        spent: what counts as spent in rolling windows.
        sessions: those with a bound of their own are budgets too.
        parkings: the open ones.
        now: the present moment.
    """
    known = {tally.key: tally for tally in tallies}
    budgets = {budget.key: budget for budget in coverage.whole()}
    for key in known:
        budget = coverage.find(key)
        if budget is not None:
            budgets[key] = budget
            if key.part:  # the line for "each" says nothing any more
                budgets.pop(BudgetKey(key.name), None)
    for session in sessions:
        if session.budget_usd is not None:
            key = BudgetKey(RUN_BUDGET, session.id)
            budgets[key] = Budget(key, session.budget_usd, None)
    asleep = _asleep(parkings)
    return [
        BudgetLine(
            budget,
            _standing(known.get(key, BudgetUsage(key)), budget, spent.get(key, ()), now),
            tuple(asleep.get(key, ())),
        )
        for key, budget in sorted(budgets.items())
    ]


def _asleep(parkings: Iterable[Parking]) -> Mapping[BudgetKey, Mapping[str, None]]:
    asleep: defaultdict[BudgetKey, dict[str, None]] = defaultdict(dict)
    for parking in parkings:
        waited = BudgetKey.of(parking.key) if parking.key is not None else None
        if waited is not None:
            asleep[waited][parking.session_id] = None
    return asleep


def _standing(
    tally: BudgetUsage, budget: Budget, spent: Sequence[Hold], now: datetime
) -> BudgetUsage:
    if tally.number == 0:
        return replace(tally, usd=budget.usd)
    standing = tally.at(budget, now)
    if standing.number > tally.number:  # over, and the next one begins with its first call
        return replace(standing, started_at=None, ends_at=None)
    if budget.is_rolling and budget.window is not None:
        start = budget.window.start(now)
        counted = sum((hold.usd for hold in spent if hold.at > start), Decimal(0))
        return replace(standing, settled_usd=counted)
    return standing
