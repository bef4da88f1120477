"""Budgets: every call to a model that costs money is paid for before it is made."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from noctule.core.base.ids import new_id
from noctule.core.base.money import show_usd
from noctule.core.budgets.accounts import account_key
from noctule.core.budgets.budget_ledger import Charge, HoldPlaced, HoldRequest, MustWait, Settled
from noctule.core.budgets.budget_scopes import BudgetScopes, BudgetSubject
from noctule.core.budgets.budgets import Budget, BudgetKey, BudgetUsage, whole_nanos
from noctule.core.clock import Clock
from noctule.core.errors import DatabaseBusyError
from noctule.core.llm.limits import Limit
from noctule.core.llm.selection import SkippedCandidate
from noctule.core.ports.database import Database
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.parse import margin_seconds
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.core.settings import EndpointKind, OnExhausted, Settings
from noctule.models.spend.balance_poller import Short
from noctule.models.spend.budget_writer import BudgetWriter, HoldRefused
from noctule.models.spend.cost_bounds import DEFAULT_MAX_TOKENS, ListCost, most_usd
from noctule.models.spend.provider_balance import Accounts

_MARGIN_S = 60.0
"""How long after its last timeout a call without a bill is given up for dead."""

_LOW_S = 60.0
"""How long a rolling budget counts as low after it was."""

_A_MILLION = 1_000_000

TELL_BEFORE_LEAVING = frozenset({EndpointKind.OPENAI, EndpointKind.ANTHROPIC, EndpointKind.OLLAMA})
"""Kinds of endpoints whose clients tell before a request goes out; see ``wire/sending.py``."""


@dataclass(frozen=True, slots=True)
class CallHold:
    """A call is paid for.

    Args:
        id: that of its attempt.
        usd: the most it can cost.
        budgets: what pays; () when it is free or nothing covers it.
        warns: budgets that came to their warning with it.
        max_tokens: the longest answer that the money is enough for; None when it is enough for
            the one that was asked for.
        expires_at: when its process must be gone if it has not settled; None when nothing is held.
        leaves: whether ``Budgets.leaves`` is to be called before its request goes out.
    """

    id: str
    usd: Decimal = Decimal(0)
    budgets: tuple[Budget, ...] = ()
    warns: tuple[BudgetUsage, ...] = ()
    max_tokens: int | None = None
    expires_at: datetime | None = None
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """How large a call is at most.

    Args:
        input_tokens: counts the most that is sent; only asked when somebody has to pay.
        output_tokens: the most that is received.
        least_tokens: the shortest answer worth paying for where the money is not enough for
            ``output_tokens``; None takes no shorter one.
    """

    input_tokens: Callable[[], int]
    output_tokens: int
    least_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class InsufficientBudget:
    """A model whose next call nobody pays for.

    Args:
        reason: one clause for people.
        limit: what to wait for, without a time when a person has to raise the budget: not even
            the whole of it pays for the call. None when nobody knows what the call costs.
        on_exhausted: what the budget says is to happen.
    """

    reason: str
    limit: Limit | None
    on_exhausted: OnExhausted = OnExhausted.FALLBACK


class Budgets:
    """What pays for the calls of this process.

    Args:
        settings: the configuration.
        database: where budgets are kept.
        clock: the time.
        list_cost: what tokens cost.
        accounts: what providers themselves say is left; None asks none of them.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        list_cost: ListCost,
        accounts: Accounts | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._list_cost = list_cost
        self._accounts = accounts
        self._budget_writer = BudgetWriter(database, clock)
        self._low: dict[BudgetKey, datetime] = {}
        self.coverage = BudgetScopes(settings)

    def is_priced(self, model: str) -> bool:
        """Whether calls to a model may cost money: it is not free by declaration."""
        price = self._settings.models[model].price
        if price is not None:
            return any(part for part in price.model_dump().values())
        own = self._settings.models[model].local
        return not (self._settings.endpoint_of(model).is_free if own is None else own)

    def most_tokens(self, model: str) -> int | None:
        """Return the longest answer of calls that set none; None: the model's own bound."""
        return DEFAULT_MAX_TOKENS if self.is_priced(model) else None

    def price_rank(self, model: str) -> Decimal:
        """Return what tells cheap models from dear ones; those of unknown price come last."""
        if not self.is_priced(model):
            return Decimal(0)
        cost = self._bound(model, _A_MILLION, _A_MILLION // 5)
        return Decimal("Infinity") if cost is None else cost

    def is_low(self, model: str, subject: BudgetSubject) -> bool:
        """Whether a budget that covers calls to a model has come to its warning."""
        if not self._low or not self.is_priced(model):
            return False
        now = self._clock.now()
        covering = self.coverage.of(model, subject)
        return any(now < self._low.get(budget.key, now) for budget in covering)

    async def place(
        self,
        model: str,
        subject: BudgetSubject,
        size: Size,
        *,
        most_s: float,
    ) -> CallHold | InsufficientBudget:
        """Reserve the most a call can cost; waits while only calls under way are in its way.

        The budgets and the provider's own view have both to pay for it. What is left of a budget
        pays for a shorter answer, if that is worth asking for.

        Args:
            model: its name in the configuration.
            subject: who makes it.
            size: how large it is.
            most_s: how many seconds it may take.

        Raises:
            DatabaseBusyError: somebody else held the database for too long.
        """
        id_ = new_id(self._clock)
        budgets = self.coverage.of(model, subject)
        accounts = self._accounts if self._accounts and self._accounts.has(model) else None
        if not self.is_priced(model) or not (budgets or accounts):
            return CallHold(id_)
        ended = _ended(budgets, self._clock.now())
        if ended is not None:
            return InsufficientBudget(ended, None)
        input_tokens = size.input_tokens()
        usd = self._bound(model, input_tokens, size.output_tokens)
        if usd is None and budgets:
            name = budgets[0].key
            why = f"has no known price and budget {name} counts it: set models.{model}.price"
            return InsufficientBudget(why, None)
        tells = self._settings.endpoint_of(model).kind in TELL_BEFORE_LEAVING
        funds = CallHold(id_, usd or Decimal(0), budgets, leaves=tells and bool(budgets))
        shorter = partial(self._shorter, model, size, input_tokens)
        if accounts is None:
            return await self._hold(funds, most_s, shorter)
        short = await accounts.reserve(model, id_, funds.usd, most_s=most_s + _MARGIN_S)
        if short is not None:
            endpoint = self._settings.models[model].endpoint
            return _account_shortage(endpoint, short, self._clock.now())
        paid = False
        try:
            placed = await self._hold(funds, most_s, shorter)
            paid = isinstance(placed, CallHold)
            return placed
        finally:
            if not paid:
                accounts.settle(id_, Decimal(0))

    async def _hold(
        self,
        funds: CallHold,
        most_s: float,
        shorter: Callable[[CallHold, Decimal], CallHold | None],
    ) -> CallHold | InsufficientBudget:
        while funds.budgets:
            before = self._budget_writer.settlements
            expires_at = self._clock.now() + timedelta(seconds=most_s + _MARGIN_S)
            claim = HoldRequest(
                funds.id, funds.usd, funds.budgets, expires_at, sent=not funds.leaves
            )
            ruling = await self._claim(claim)
            if isinstance(ruling, HoldPlaced):
                self._note_low(funds.budgets, ruling)
                return replace(funds, warns=ruling.warns, expires_at=expires_at)
            if isinstance(ruling, HoldRefused):
                less = shorter(funds, ruling.left_usd)
                if less is None:
                    return _shortage(ruling, self._clock.now())
                funds = less
                continue
            await self._budget_writer.next_settle(before)
        return funds

    def _shorter(
        self, model: str, size: Size, input_tokens: int, funds: CallHold, left_usd: Decimal
    ) -> CallHold | None:
        """Return funds for the longest answer that fits into what is left; None when none does."""
        if size.least_tokens is None:
            return None
        prompt_usd = self._bound(model, input_tokens, 0)
        if prompt_usd is None or funds.usd <= prompt_usd or left_usd <= prompt_usd:
            return None
        asked = funds.max_tokens or size.output_tokens
        tokens = int(asked * (left_usd - prompt_usd) / (funds.usd - prompt_usd))
        usd = self._bound(model, input_tokens, tokens)
        if tokens < size.least_tokens or usd is None or usd > left_usd:
            return None
        return replace(funds, usd=usd, max_tokens=tokens)

    async def leaves(self, funds: CallHold) -> None:
        """Note that a call's request goes out now: from here on it may have cost its bound.

        Until then it has cost nothing, whatever becomes of this process.

        Raises:
            DatabaseBusyError: it could not be noted; the request must not go out.
        """
        if not funds.leaves or funds.expires_at is None:
            return
        claim = HoldRequest(funds.id, funds.usd, funds.budgets, funds.expires_at)
        if await self._budget_writer.note_sent(claim):
            return
        ruling = await self._budget_writer.enter(claim, again=True)
        if not isinstance(ruling, HoldPlaced):  # it was held up for so long that it was given up
            raise DatabaseBusyError(
                "The call was held up for so long that its budget was given to others. Try again."
            )

    async def consult(self, model: str, refusal: Refusal, funds: CallHold) -> Refusal:
        """Return a refusal with what the provider's account says of it, asked within seconds.

        Args:
            model: who refused.
            refusal: what it said.
            funds: of the call.
        """
        if self._accounts is None:
            return refusal
        return await self._accounts.consult(model, refusal, funds.usd)

    def settle(self, funds: CallHold, usd: Decimal) -> "asyncio.Future[Decimal]":
        """Put what a call has cost in the place of its hold, whatever becomes of the caller.

        Args:
            funds: of the call.
            usd: what it cost; 0 gives everything back.

        Returns:
            What was billed above what was reserved; mostly 0. It may carry ``DatabaseBusyError``:
            then the hold stays, and counts as spent in full once it expires.
        """
        if self._accounts is not None:
            self._accounts.settle(funds.id, usd)
        done: asyncio.Future[Decimal] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_look_at)
        if not funds.budgets:
            done.set_result(Decimal(0))
            return done
        entered = self._budget_writer.enter(Charge(funds.id, whole_nanos(usd), funds.budgets))
        entered.add_done_callback(lambda settled: _pass_on(settled, done))
        return done

    def warning(self, tally: BudgetUsage) -> str:
        """Return the sentence that tells a person of a budget that comes to its end."""
        used = tally.settled_usd + tally.held_usd
        until = f" until {tally.ends_at:%Y-%m-%d %H:%M %Z}" if tally.ends_at else ""
        return (
            f"Budget {tally.key}: {show_usd(used)} of {show_usd(tally.usd)} are spent or held; "
            f"the cheaper model goes first{until}."
        )

    async def close(self) -> None:
        """Write down what is left."""
        if self._accounts is not None:
            await self._accounts.close()
        await self._budget_writer.close()

    async def _claim(self, claim: HoldRequest) -> HoldPlaced | MustWait | HoldRefused:
        entered = self._budget_writer.enter(claim)
        try:
            ruling = await asyncio.shield(entered)
        except asyncio.CancelledError:
            # It may be placed all the same, and nobody is left to make the call.
            entered.add_done_callback(lambda placed: self._give_back(placed, claim))
            raise
        assert isinstance(ruling, HoldPlaced | MustWait | HoldRefused)  # noqa: S101 - what a claim can become
        return ruling

    def _give_back(self, placed: "asyncio.Future[Any]", claim: HoldRequest) -> None:
        if placed.cancelled() or placed.exception() is not None:
            return
        if isinstance(placed.result(), HoldPlaced):
            self._budget_writer.enter(Charge(claim.id, Decimal(0), claim.budgets))

    def _note_low(self, budgets: tuple[Budget, ...], ruling: HoldPlaced) -> None:
        soon = self._clock.now() + timedelta(seconds=_LOW_S)
        low = {tally.key: tally.ends_at or soon for tally in ruling.low}
        for budget in budgets:
            self._low.pop(budget.key, None)
        self._low.update(low)

    def _bound(self, model: str, input_tokens: int, output_tokens: int) -> Decimal | None:
        return most_usd(
            self._list_cost,
            model,
            self._clock.now(),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )


def _ended(budgets: tuple[Budget, ...], now: datetime) -> str | None:
    """Return why nothing is paid for, when one of some budgets has come to its end."""
    for budget in budgets:
        if budget.until is not None and now >= budget.until:
            moment = f"{budget.until:%Y-%m-%d %H:%M} UTC"
            return f"budget {budget.key} ended on {moment}: set a later until there"
    return None


def _shortage(refused: HoldRefused, now: datetime) -> InsufficientBudget:
    verdict = refused.verdict
    budget, tally = verdict.budget, verdict.tally
    if verdict.usd > budget.usd:
        reason = (
            f"one call may cost {show_usd(verdict.usd)} and the whole budget {budget.key} is "
            f"{show_usd(budget.usd)}. A lower max_tokens of the role needs less."
        )
        return InsufficientBudget(reason, _limit(budget, reason, None, now), budget.on_exhausted)
    reason = (
        f"budget {budget.key} is used up: {show_usd(tally.settled_usd)} of {show_usd(budget.usd)} "
        f"are spent, and the call may cost {show_usd(verdict.usd)}."
    )
    return InsufficientBudget(
        reason, _limit(budget, reason, refused.until, now), budget.on_exhausted
    )


def _limit(budget: Budget, reason: str, until: datetime | None, now: datetime) -> Limit:
    return Limit(
        key=budget.key.limit_key,
        outcome=Outcome.QUOTA_EXHAUSTED,
        reason=reason,
        not_before=until,
        evidence=Evidence.WINDOW if until else None,
        set_at=now,
    )


def _account_shortage(endpoint: str, short: Short, now: datetime) -> InsufficientBudget:
    if short.hopeless:
        return InsufficientBudget(short.reason, None)
    not_before = short.until
    if not_before is not None:
        margin_s = margin_seconds((not_before - now).total_seconds())
        not_before += timedelta(seconds=margin_s)
    limit = Limit(
        key=account_key(endpoint).limit_key,
        outcome=Outcome.QUOTA_EXHAUSTED,
        reason=short.reason,
        not_before=not_before,
        evidence=short.evidence,
        set_at=now,
    )
    return InsufficientBudget(short.reason, limit)


def skip_of(model: str, shortage: InsufficientBudget) -> SkippedCandidate:
    """Return why a model is passed over that nobody pays for."""
    limit = shortage.limit
    if limit is None:
        return SkippedCandidate(model, shortage.reason, incapable=True)
    return SkippedCandidate(model, shortage.reason, retry_at=limit.not_before, limit=limit)


def _pass_on(settled: "asyncio.Future[Any]", done: "asyncio.Future[Decimal]") -> None:
    if done.done():
        return
    if settled.cancelled():
        done.cancel()
    elif (error := settled.exception()) is not None:
        done.set_exception(error)
    else:
        result = settled.result()
        done.set_result(result.over_usd if isinstance(result, Settled) else Decimal(0))


def _look_at(done: "asyncio.Future[Decimal]") -> None:
    if not done.cancelled():
        done.exception()
