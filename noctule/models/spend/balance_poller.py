"""The watch on one account: what the provider said last, and what was spent since."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from noctule.core.base.money import show_usd
from noctule.core.budgets.accounts import Account, Statement
from noctule.core.clock import Clock
from noctule.core.provider_errors.refusals import Evidence
from noctule.core.times.windows import Window
from noctule.models.spend.balance_request import AccountQuestion

FRESH_S = 10.0
"""No call is given up for what the provider said longer ago than this: it is asked again."""

_LOOK_AGAIN_S = 0.5
_LATE_S = 60.0
"""How soon to look again when the reset it names is over and nothing was reset."""

_CLOSING_S = 1.0

_LOG = logging.getLogger(__name__)

Keep = Callable[[Account], object]
"""Has a view stored."""

Recall = Callable[[], Awaitable[Account | None]]
"""Returns the stored view; None when there is none."""


@dataclass(frozen=True, slots=True)
class Short:
    """The provider says that too little is left for a call.

    Args:
        reason: one clause for people, with the provider's words.
        until: when it starts anew, without margin; None when never, or nobody knows.
        evidence: where that time came from; None when there is none.
        hopeless: not even the whole limit is enough.
    """

    reason: str
    until: datetime | None
    evidence: Evidence | None
    hopeless: bool = False


class AccountWatch:
    """What one provider says is left of one key's money.

    What it said is lowered by what was billed here since, and by what calls under way may cost:
    it need not have counted them yet.

    Args:
        account: the endpoint and the key, before anything was asked.
        question: asks the provider.
        every: after how many attempts.
        window: when its quota turns, where the provider does not say; None when nobody knows.
        clock: the time.
        keep: has a view stored.
        recall: reads the stored one.
    """

    def __init__(
        self,
        account: Account,
        question: AccountQuestion,
        *,
        every: int,
        window: Window | None,
        clock: Clock,
        keep: Keep,
        recall: Recall,
    ) -> None:
        self._account = account
        self._question = question
        self._every = every
        self._window = window
        self._clock = clock
        self._keep = keep
        self._recall = recall
        self._recalled = asyncio.Lock()
        self._known = False
        self._told = False
        self._attempts = 0
        self._begun: float | None = None
        self._asking: asyncio.Task[None] | None = None
        self._spent = Decimal(0)
        self._held: dict[str, tuple[Decimal, float]] = {}

    async def reserve(self, id_: str, usd: Decimal, *, most_s: float) -> Short | None:
        """Count a call that is about to be made, unless too little is left for it.

        Waits while only calls under way are in its way, and asks the provider again before it
        says no.

        Args:
            id_: that of its attempt.
            usd: the most it can cost; 0 when nobody knows.
            most_s: how many seconds it may take.
        """
        await self._remember()
        self._attempts += 1
        if self._begun is None or self._attempts >= self._every or self._is_over():
            self.ask_soon()
        while True:
            said = self.statement()
            if said is None or said.left_usd is None:
                break
            left = said.left_usd - self._spent
            if 0 < left - self._reserved() >= usd:
                break
            if 0 < left >= usd:
                await self._clock.sleep(_LOOK_AGAIN_S)
            elif self._asking is not None or self._is_older_than(FRESH_S):
                await self.ask(unless_within_s=FRESH_S)
            else:
                return self._short(said, left, usd)
        self._held[id_] = (usd, self._clock.monotonic() + most_s)
        return None

    def settle(self, id_: str, usd: Decimal) -> None:
        """Put what a call has cost in the place of what it could have cost; 0 gives it back."""
        if self._held.pop(id_, None) is not None:
            self._spent += usd

    def statement(self) -> Statement | None:
        """Return what the provider said, as far as it still counts."""
        return self._account.now(self._clock.now())

    def left_usd(self) -> Decimal | None:
        """Return what is left by all that is known; None when that is nothing, or no limit."""
        said = self.statement()
        return None if said is None or said.left_usd is None else said.left_usd - self._spent

    def reset(self, said: Statement) -> tuple[datetime | None, Evidence | None]:
        """Return when an account starts anew, without margin, and how that is known."""
        now = self._clock.now()
        if said.resets_at is not None:
            if said.resets_at > now:
                return said.resets_at, Evidence.BODY
            return now + timedelta(seconds=_LATE_S), Evidence.GUESS
        if said.never_resets or self._window is None:
            return None, None
        return self._window.next_reset(now), Evidence.WINDOW

    def ask_soon(self) -> "asyncio.Task[None]":
        """Have the provider asked; nobody waits for it."""
        if self._asking is None:
            self._attempts = 0
            self._begun = self._clock.monotonic()
            self._asking = asyncio.create_task(self._ask(), name="account")
            self._asking.add_done_callback(self._asked)
        return self._asking

    async def ask(self, *, unless_within_s: float = 0.0) -> None:
        """Ask the provider and wait for its answer, a few seconds at most.

        Args:
            unless_within_s: it is not asked again when it was so many seconds ago.
        """
        if self._asking is not None or self._is_older_than(unless_within_s):
            await asyncio.shield(self.ask_soon())

    async def close(self) -> None:
        """Wait a moment for an answer that is on its way, then let go."""
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=_CLOSING_S)
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self._question.close()

    async def _ask(self) -> None:
        spent_before = self._spent
        answer = await self._question.ask()
        self._account = self._account.heard(answer, self._clock.now())
        if isinstance(answer, str):
            self._tell(answer)
        else:
            self._told = False
            self._spent -= spent_before
        self._known = True
        self._keep(self._account)

    def _tell(self, trouble: str) -> None:
        """Say once that nothing is known, until something is."""
        if not self._told:
            self._told = True
            endpoint = self._account.endpoint
            _LOG.warning(
                "What is left at endpoint %s is unknown, only Noctule's own budgets count: %s",
                endpoint,
                trouble,
            )

    def _asked(self, task: "asyncio.Task[None]") -> None:
        self._asking = None
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.warning("an account could not be asked: %r", error)

    async def _remember(self) -> None:
        """Take up what this or another process learned before; once."""
        async with self._recalled:
            if self._known:
                return
            stored = await self._recall()
            if stored is not None and not self._known:
                self._account = stored
            self._known = True

    def _reserved(self) -> Decimal:
        now = self._clock.monotonic()
        self._held = {id_: held for id_, held in self._held.items() if held[1] > now}
        return sum((usd for usd, _ in self._held.values()), Decimal(0))

    def _is_over(self) -> bool:
        """Whether what it said ended with the reset it named."""
        said = self._account.trouble is None and self._account.statement is not None
        return said and self.statement() is None

    def _is_older_than(self, seconds: float) -> bool:
        return self._begun is None or self._clock.monotonic() - self._begun >= seconds

    def _short(self, said: Statement, left: Decimal, usd: Decimal) -> Short:
        endpoint = self._account.endpoint
        if said.limit_usd is not None and usd > said.limit_usd > 0:
            reason = (
                f"one call may cost {show_usd(usd)} and the whole limit of the account of endpoint "
                f"{endpoint} is {show_usd(said.limit_usd)} ({said.words}): raise it at the "
                "provider, or lower the role's max_tokens"
            )
            return Short(reason, None, None, hopeless=True)
        until, evidence = self.reset(said)
        reason = f"{spoken(endpoint, said, left)}, and the call may cost {show_usd(usd)}."
        if until is None:
            reason += " Fill it up at the provider, then `noctule budgets ask`."
        return Short(reason, until, evidence)


def spoken(endpoint: str, said: Statement, left: Decimal) -> str:
    """Return in a clause what a provider says is left, with its own words.

    Args:
        endpoint: its configured name.
        said: what it said.
        left: what is left by now, below 0 when overdrawn.
    """
    of = "" if said.limit_usd is None else f" of {show_usd(said.limit_usd)}"
    shown = show_usd(max(left, Decimal(0)))
    return f"endpoint {endpoint} says that {shown}{of} is left ({said.words})"
