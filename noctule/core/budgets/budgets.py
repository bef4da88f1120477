"""Budgets as values: how much per window, what is spent and held, and holds."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from noctule.core.base.money import from_nanos, to_nanos
from noctule.core.llm.limits import BUDGET_PREFIX, LimitKey
from noctule.core.settings.budget import OnExhausted
from noctule.core.times.windows import Window, WindowKind

CLOCK_SLACK = timedelta(minutes=1)
"""How far moments may lie in the future before the clock counts as having been set back: clocks
of several machines differ, and whoever waited for a lock comes with an older moment."""


@dataclass(frozen=True, slots=True, order=True)
class BudgetKey:
    """Which budget, and whose.

    Args:
        name: in the configuration; ``roles.ROLE`` for the budget of a role, ``--budget`` for
            that of a run.
        part: the role, model, endpoint, tier, session or owner it counts; "" when global.
    """

    name: str
    part: str = ""

    @property
    def limit_key(self) -> LimitKey:
        """What parkings on this budget carry: they queue like those on a provider's limit."""
        return LimitKey(f"{BUDGET_PREFIX}{self.name}", "", self.part or None)

    @property
    def id(self) -> str:
        """The name and the part as one text; a name holds no slash."""
        return f"{self.name}/{self.part}"

    @classmethod
    def read(cls, id_: str) -> "BudgetKey":
        """Return the key that an id stands for."""
        name, _, part = id_.partition("/")
        return cls(name, part)

    @classmethod
    def of(cls, key: LimitKey) -> "BudgetKey | None":
        """Return the budget a parking waits for; None when it waits for a provider."""
        if not key.is_budget:
            return None
        return cls(key.endpoint.removeprefix(BUDGET_PREFIX), key.model or "")

    def __str__(self) -> str:
        """For people: ``daily``, ``each-session (0199...)``."""
        return f"{self.name} ({self.part})" if self.part else self.name


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget that covers a call.

    Args:
        key: which.
        usd: the most per window.
        window: when it turns; None means never.
        on_exhausted: what becomes of calls it does not pay for.
        warn_usd: from where on it warns; None means never.
        until: from when on it pays for nothing; None means that it has no end.
    """

    key: BudgetKey
    usd: Decimal
    window: Window | None
    on_exhausted: OnExhausted = OnExhausted.FALLBACK
    warn_usd: Decimal | None = None
    until: datetime | None = None

    @property
    def is_rolling(self) -> bool:
        """Whether money comes back bit by bit instead of all at once."""
        return self.window is not None and self.window.kind is WindowKind.ROLLING


class HoldState(StrEnum):
    """What became of reserved money."""

    HELD = "held"
    """The call is under way."""
    RECOVERED = "recovered"
    """Its process is gone; it counts as spent in full, since it may have been."""
    SPENT = "spent"
    """Settled; kept while a rolling window reaches back to it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Money of one budget reserved for one call.

    Args:
        id: that of the call's attempt; one hold of it per budget.
        key: the budget.
        usd: the most it can cost, or what it did cost once it is spent.
        state: what became of it.
        at: when it was placed, recovered or spent.
        expires_at: when its process must be gone.
        sent: whether the call's request may have left; one that never left has cost nothing.
    """

    id: str
    key: BudgetKey
    usd: Decimal
    state: HoldState
    at: datetime
    expires_at: datetime
    sent: bool = True


@dataclass(frozen=True, slots=True)
class BudgetUsage:
    """What a budget has come to in its present window.

    Args:
        key: the budget.
        usd: its limit when it was last used; tells whether it was raised since.
        number: counts the windows, from 1; 0 before the first.
        started_at: when the window began, for one without an end when it was first used; None
            before the first, and for rolling ones.
        ends_at: when it turns; None when it does not.
        settled_usd: spent for sure, or for all we know.
        held_usd: reserved by calls under way.
        recovered_usd: the part of ``settled_usd`` reserved by processes that are gone.
        over_usd: what providers billed above what was reserved.
        warned: whether its person was told that it comes to its end.
        seen_at: the latest moment it was used.
    """

    key: BudgetKey
    usd: Decimal = Decimal(0)
    number: int = 0
    started_at: datetime | None = None
    ends_at: datetime | None = None
    settled_usd: Decimal = Decimal(0)
    held_usd: Decimal = Decimal(0)
    recovered_usd: Decimal = Decimal(0)
    over_usd: Decimal = Decimal(0)
    warned: bool = False
    seen_at: datetime | None = None

    @property
    def left_usd(self) -> Decimal:
        """What is neither spent nor held; never below 0."""
        return max(Decimal(0), self.usd - self.settled_usd - self.held_usd)

    def at(self, budget: Budget, now: datetime) -> "BudgetUsage":
        """Return it as it stands at a moment: in the next window when this one is over.

        What is held stays held across the turn and counts where it settles, so that no window
        ever pays for more than its limit.

        Args:
            budget: what it counts for, as configured now.
            now: aware.
        """
        tally = replace(self, usd=budget.usd)
        window = budget.window
        if budget.is_rolling:
            return replace(tally, number=max(1, tally.number), started_at=None, ends_at=None)
        if window is None and tally.started_at is not None:
            return replace(tally, ends_at=None)
        if window is None or tally.started_at is None or tally.ends_at is None:
            # Its first window, or it was rolling or without an end: its old holds count no more.
            return replace(
                tally,
                number=tally.number + 1,
                started_at=now if window is None else window.start(now),
                ends_at=None if window is None else window.next_reset(now),
                recovered_usd=Decimal(0),
            )
        if now < tally.started_at - CLOCK_SLACK:
            # The clock was ahead when this window began: what was spent stays spent, till the
            # window that it really is turns.
            started_at, ends_at = window.start(now), window.next_reset(now)
            return replace(tally, started_at=started_at, ends_at=ends_at)
        ends_at = window.next_reset(tally.started_at, tally.started_at)
        if now < ends_at:
            return replace(tally, ends_at=ends_at)
        return replace(
            tally,
            number=tally.number + 1,
            started_at=window.start(now),
            ends_at=window.next_reset(now),
            settled_usd=Decimal(0),
            recovered_usd=Decimal(0),
            over_usd=Decimal(0),
            warned=False,
        )


def whole_nanos(usd: Decimal) -> Decimal:
    """Return an amount as it is stored: whole nano-dollars, rounded up."""
    return from_nanos(to_nanos(usd))


def frees_at(
    budget: Budget, tally: BudgetUsage, usd: Decimal, spent: list[Hold], now: datetime
) -> datetime | None:
    """Return when an exhausted budget pays for a call again; None when no time cures it.

    Args:
        budget: which.
        tally: as it stands.
        usd: the most the call can cost.
        spent: for a rolling window what was spent in it, oldest first.
        now: aware.
    """
    if usd > budget.usd or budget.window is None:
        return None
    if not budget.is_rolling:
        return tally.ends_at
    missing = tally.settled_usd + usd - budget.usd
    for hold in spent:
        missing -= hold.usd
        if missing <= 0:
            return budget.window.next_reset(now, min(hold.at, now))
    return budget.window.next_reset(now)
