"""The ledger of some budgets: holds are placed, settled and recovered in it, in memory.

Whoever keeps budgets locks their rows, fills books with them, carries orders out and writes back
what the books say has changed. So the rules are here alone, and many orders share one transaction.

A call is paid for when every budget that covers it can: ``settled + held + its bound <= limit``.
It waits when that holds without what others only reserved, and is refused when even that does not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from noctule.core.budgets.budgets import (
    CLOCK_SLACK,
    Budget,
    BudgetKey,
    BudgetUsage,
    Hold,
    HoldState,
)
from noctule.core.times.windows import WindowKind


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """A call that wants to be paid for.

    Args:
        id: that of its attempt.
        usd: the most it can cost, in whole nano-dollars.
        budgets: all that cover it; at least one.
        expires_at: when its process must be gone if it has not settled.
        sent: whether its request may leave from now on without another word. False: it is placed
            again, with True, before a byte of it leaves.
    """

    id: str
    usd: Decimal
    budgets: tuple[Budget, ...]
    expires_at: datetime
    sent: bool = True


@dataclass(frozen=True, slots=True)
class Charge:
    """What a call has cost.

    Args:
        id: that of its attempt.
        usd: in whole nano-dollars; 0 when it failed without a cost.
        budgets: those of its claim.
    """

    id: str
    usd: Decimal
    budgets: tuple[Budget, ...]


@dataclass(frozen=True, slots=True)
class HoldPlaced:
    """The money is reserved.

    Args:
        low: budgets that are past their warning, as they stand.
        warns: those of them that came there with this call: to be told once.
    """

    low: tuple[BudgetUsage, ...] = ()
    warns: tuple[BudgetUsage, ...] = ()


@dataclass(frozen=True, slots=True)
class MustWait:
    """It would fit once calls under way have settled.

    Args:
        budget: the one that is held.
    """

    budget: Budget


@dataclass(frozen=True, slots=True)
class OverBudget:
    """A budget does not pay for it.

    Args:
        budget: the first such.
        tally: as it stands.
        usd: the most the call can cost.
    """

    budget: Budget
    tally: BudgetUsage
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Settled:
    """A call is paid.

    Args:
        over_usd: what was billed above what was reserved; 0 otherwise.
    """

    over_usd: Decimal = Decimal(0)


Ruling = HoldPlaced | MustWait | OverBudget


class BudgetLedger:
    """The tallies and holds of some budgets at one moment.

    Args:
        now: aware.
        tallies: what is stored; a budget without one begins at nothing.
        holds: the stored holds of bills to come, those that expired, those that a rolling
            window no longer reaches, and those whose moment has not come yet.
    """

    def __init__(
        self, now: datetime, tallies: Iterable[BudgetUsage], holds: Iterable[Hold] = ()
    ) -> None:
        self._now = now
        self._tallies = {tally.key: tally for tally in tallies}
        self._holds = {(hold.id, hold.key): hold for hold in holds}
        self._opened: set[BudgetKey] = set()
        self.kept: dict[tuple[str, BudgetKey], Hold] = {}
        self.gone: set[tuple[str, BudgetKey]] = set()
        self.turned: set[BudgetKey] = set()
        self.freed: set[BudgetKey] = set()

    @property
    def tallies(self) -> Sequence[BudgetUsage]:
        """What is to be written back, in the order of keys."""
        return [self._tallies[key] for key in sorted(self._opened)]

    def open(self, budget: Budget) -> BudgetUsage:
        """Return how a budget stands now: turned, with what is overdue recovered."""
        key = budget.key
        if key in self._opened:
            return self._tallies[key]
        before = self._tallies.get(key, BudgetUsage(key))
        tally = replace(before.at(budget, self._now), seen_at=self._now)
        if tally.number > before.number > 0:
            self.turned.add(key)
        self._opened.add(key)
        self._tallies[key] = tally
        spent_usd = before.settled_usd - before.recovered_usd  # what was recovered has its holds
        if budget.is_rolling and before.started_at is not None and spent_usd:
            self._carry(before, spent_usd)
        for hold in [hold for hold in self._holds.values() if hold.key == key]:
            self._look_at(hold, budget)
        return self._tallies[key]

    @property
    def now(self) -> datetime:
        """The moment they stand at."""
        return self._now

    def place(self, claim: HoldRequest) -> Ruling:
        """Reserve a call's bound on all its budgets, or on none.

        A second time does nothing, or notes that its request leaves.
        """
        for budget in claim.budgets:
            self.open(budget)  # which drops what is overdue and was never sent
        if any((claim.id, budget.key) in self._holds for budget in claim.budgets):
            self._send(claim)
            return HoldPlaced((), ())
        waits: MustWait | None = None
        for budget in claim.budgets:
            tally = self.open(budget)
            if tally.settled_usd + claim.usd > budget.usd:
                return OverBudget(budget, tally, claim.usd)
            if tally.settled_usd + tally.held_usd + claim.usd > budget.usd:
                waits = waits or MustWait(budget)
        if waits is not None:
            return waits
        low, warns = [], []
        for budget in claim.budgets:
            tally = self._add(budget.key, held=claim.usd)
            times = (self._now, claim.expires_at)
            self._keep(
                Hold(claim.id, budget.key, claim.usd, HoldState.HELD, *times, sent=claim.sent)
            )
            used = tally.settled_usd + tally.held_usd
            if budget.warn_usd is not None and used >= budget.warn_usd:
                low.append(tally)
                if not tally.warned:
                    warns.append(tally)
                    self._tallies[budget.key] = replace(tally, warned=True)
        return HoldPlaced(tuple(low), tuple(warns))

    def _send(self, claim: HoldRequest) -> None:
        if not claim.sent:
            return
        for budget in claim.budgets:
            hold = self._holds.get((claim.id, budget.key))
            if hold is not None and not hold.sent:
                self._keep(replace(hold, sent=True))

    def settle(self, bill: Charge) -> Settled:
        """Put a call's real cost in the place of its hold; a second time does nothing."""
        over = Decimal(0)
        for budget in bill.budgets:
            self.open(budget)
            hold = self._holds.get((bill.id, budget.key))
            if hold is None or hold.state is HoldState.SPENT:
                continue  # recovered in a window that is over: what it reserved was counted there
            if hold.usd:  # one that was forgiven reserved nothing any more
                over = max(over, bill.usd - hold.usd)
            self._pay(hold, bill, budget)
        return Settled(over)

    def forgive(self, budget: Budget) -> tuple[Decimal, int]:
        """Take back what counts for calls of processes that are gone and never reported a cost.

        What providers reported stays. Should such a call report after all, it counts then.

        Args:
            budget: which; its recovered holds have to be there.

        Returns:
            The amount in USD, and for how many calls it had been counted.
        """
        self.open(budget)
        usd, calls = Decimal(0), 0
        for hold in list(self._holds.values()):
            if hold.key == budget.key and hold.state is HoldState.RECOVERED and hold.usd:
                usd, calls = usd + hold.usd, calls + 1
                self._keep(replace(hold, usd=Decimal(0)))
        if calls:
            self._add(budget.key, settled=-usd, recovered=-usd)
            self.freed.add(budget.key)
        return usd, calls

    def _pay(self, hold: Hold, bill: Charge, budget: Budget) -> None:
        over = max(Decimal(0), bill.usd - hold.usd) if hold.usd else Decimal(0)
        if hold.state is HoldState.HELD:
            self._add(hold.key, held=-hold.usd, settled=bill.usd, over=over)
        else:
            self._add(hold.key, settled=bill.usd - hold.usd, recovered=-hold.usd, over=over)
            if bill.usd < hold.usd:
                self.freed.add(hold.key)
        if budget.is_rolling and bill.usd:
            self._keep(replace(hold, usd=bill.usd, state=HoldState.SPENT, at=self._now))
        else:
            self._drop(hold)

    def _look_at(self, hold: Hold, budget: Budget) -> None:
        """Recover a hold that is overdue, drop one that no longer counts."""
        if hold.at > self._now + CLOCK_SLACK:  # the clock was set back since
            expires_at = self._now + (hold.expires_at - hold.at)
            hold = replace(hold, at=self._now, expires_at=expires_at)
            self._keep(hold)
        if hold.state is HoldState.HELD:
            if hold.expires_at <= self._now and not hold.sent:
                self._add(hold.key, held=-hold.usd)
                self._drop(hold)
                self.freed.add(hold.key)
            elif hold.expires_at <= self._now:
                self._add(hold.key, held=-hold.usd, settled=hold.usd, recovered=hold.usd)
                self._keep(replace(hold, state=HoldState.RECOVERED, at=self._now))
            return
        if not budget.is_rolling:
            if hold.key in self.turned or hold.state is HoldState.SPENT:
                self._drop(hold)
            return
        if budget.window is not None and hold.at <= budget.window.start(self._now):
            recovered = hold.usd if hold.state is HoldState.RECOVERED else Decimal(0)
            self._add(hold.key, settled=-hold.usd, recovered=-recovered)
            self._drop(hold)

    def _carry(self, before: BudgetUsage, spent_usd: Decimal) -> None:
        """Let what was spent before a budget became a rolling one leave it a window from now."""
        self._keep(
            Hold(
                f"carried-{before.number}",
                before.key,
                spent_usd,
                HoldState.SPENT,
                self._now,
                self._now,
            )
        )

    def _add(
        self,
        key: BudgetKey,
        *,
        held: Decimal = Decimal(0),
        settled: Decimal = Decimal(0),
        recovered: Decimal = Decimal(0),
        over: Decimal = Decimal(0),
    ) -> BudgetUsage:
        before = self._tallies[key]
        after = replace(
            before,
            held_usd=before.held_usd + held,
            settled_usd=before.settled_usd + settled,
            recovered_usd=before.recovered_usd + recovered,
            over_usd=before.over_usd + over,
        )
        self._tallies[key] = after
        return after

    def _keep(self, hold: Hold) -> None:
        self._holds[hold.id, hold.key] = hold
        self.kept[hold.id, hold.key] = hold
        self.gone.discard((hold.id, hold.key))

    def _drop(self, hold: Hold) -> None:
        del self._holds[hold.id, hold.key]
        self.kept.pop((hold.id, hold.key), None)
        self.gone.add((hold.id, hold.key))


def horizon(budget: Budget, now: datetime) -> datetime | None:
    """Return the moment from which a rolling window counts; None for any other."""
    window = budget.window
    if window is None or window.kind is not WindowKind.ROLLING:
        return None
    return window.start(now)
