"""Writes holds and charges of all calls of this process, many in one transaction.

Whatever waits when a transaction begins goes into it, bills first: they make room. That requests
leave is noted before all else, in a transaction of its own that touches no budget. None waits
for the disk: a crash of the process loses nothing, and after a power cut the holds of calls that
were under way may be missing.
"""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from noctule.core.budgets.budget_ledger import (
    BudgetLedger,
    Charge,
    HoldRequest,
    OverBudget,
    Ruling,
    Settled,
)
from noctule.core.budgets.budgets import Budget, frees_at
from noctule.core.clock import Clock
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.ports.wake_queue import wake_all

LOOK_AGAIN_S = 0.5
"""How soon a call that waits looks for what other processes have settled."""


@dataclass(frozen=True, slots=True)
class HoldRefused:
    """A budget does not pay for a call.

    Args:
        verdict: which, and how it stands.
        until: when it may; None when no time cures it.
    """

    verdict: OverBudget
    until: datetime | None

    @property
    def left_usd(self) -> Decimal:
        """What is not spent; calls under way may hold some of it."""
        return self.verdict.budget.usd - self.verdict.tally.settled_usd


@dataclass(frozen=True, slots=True, eq=False)
class _Pending:
    order: HoldRequest | Charge
    is_known: bool
    done: "asyncio.Future[Ruling | Settled | HoldRefused]"


@dataclass(frozen=True, slots=True, eq=False)
class _Note:
    claim: HoldRequest
    done: "asyncio.Future[bool]"


class BudgetWriter:
    """Takes claims and bills, and notes which requests leave.

    Args:
        database: where budgets are kept.
        clock: the time.

    Attributes:
        settlements: counts the transactions that settled something.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._pending: list[_Pending] = []
        self._notes: list[_Note] = []
        self._worker: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self.settlements = 0

    def enter(
        self, order: HoldRequest | Charge, *, again: bool = False
    ) -> "asyncio.Future[Ruling | Settled | HoldRefused]":
        """Hand an order over; the future holds what became of it, or why nothing did.

        Args:
            order: a claim or a bill.
            again: whether the claim was placed before.
        """
        is_known = again or isinstance(order, Charge)
        pending = _Pending(order, is_known, asyncio.get_running_loop().create_future())
        pending.done.add_done_callback(_look_at)
        self._pending.append(pending)
        self._begin()
        return pending.done

    def note_sent(self, claim: HoldRequest) -> "asyncio.Future[bool]":
        """Note that the request of a claim that was placed leaves.

        The future holds False where a hold of it is overdue or gone: the money may be another's.
        """
        note = _Note(claim, asyncio.get_running_loop().create_future())
        note.done.add_done_callback(_look_at)
        self._notes.append(note)
        self._begin()
        return note.done

    async def next_settle(self, after: int) -> None:
        """Return when something was settled here, or may have been elsewhere.

        Args:
            after: ``settlements`` before the order was handed over that has to wait.
        """
        if self.settlements > after:
            return
        settled = asyncio.create_task(self._settled.wait())
        looks = asyncio.create_task(self._clock.sleep(LOOK_AGAIN_S))
        both: set[asyncio.Task[Any]] = {settled, looks}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()

    async def close(self) -> None:
        """Wait until everything handed over is stored."""
        while self._worker is not None:
            await asyncio.shield(self._worker)

    async def _work(self) -> None:
        try:
            while self._pending or self._notes:
                await self._note()
                batch, self._pending = self._pending, []
                # A request whose caller is gone does not leave, and has its bill already.
                batch = [pending for pending in batch if not pending.done.cancelled()]
                if batch:
                    await self._carry_out(batch)
        finally:
            self._worker = None
            for left in self._pending:
                left.done.cancel()
            for note in self._notes:
                note.done.cancel()
            self._pending, self._notes = [], []

    def _begin(self) -> None:
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="teller")

    async def _note(self) -> None:
        notes, self._notes = self._notes, []
        notes = [note for note in notes if not note.done.cancelled()]
        if not notes:
            return
        ids = [note.claim.id for note in notes]
        try:
            marked = await self._database.patience.keep_trying(lambda: self._mark(ids))
        except Exception as error:  # noqa: BLE001 - each caller is told that it was not noted
            for note in notes:
                if not note.done.done():
                    note.done.set_exception(error)
        except BaseException:
            for note in notes:
                note.done.cancel()
            raise
        else:
            for note in notes:
                if not note.done.done():
                    wanted = len({budget.key for budget in note.claim.budgets})
                    note.done.set_result(marked.get(note.claim.id, 0) == wanted)

    async def _mark(self, ids: Sequence[str]) -> Mapping[str, int]:
        async with self._database.work(durable=False) as work:
            marked = await work.budgets.mark_sent(ids, self._clock.now())
            await work.commit()
        return marked

    async def _carry_out(self, batch: Sequence[_Pending]) -> None:
        bills = [pending for pending in batch if isinstance(pending.order, Charge)]
        claims = [pending for pending in batch if not isinstance(pending.order, Charge)]
        orders = [pending.order for pending in (*bills, *claims)]
        try:
            results = await self._stored(batch, orders)
        except Exception as error:  # noqa: BLE001 - each caller is told what became of its order
            for pending in batch:
                if not pending.done.done():
                    pending.done.set_exception(error)
        except BaseException:
            for pending in batch:
                pending.done.cancel()
            raise
        else:
            for pending, result in zip((*bills, *claims), results, strict=True):
                if not pending.done.done():
                    pending.done.set_result(result)
            if bills:
                self.settlements += 1
                self._settled.set()
                self._settled = asyncio.Event()

    async def _stored(
        self, batch: Sequence[_Pending], orders: Sequence[HoldRequest | Charge]
    ) -> list[Ruling | Settled | HoldRefused]:
        """Carry orders out in one transaction; again, from the start, until storage answers."""
        tries = itertools.count()
        return await self._database.patience.keep_trying(
            lambda: self._transact(batch, orders, again=next(tries) > 0)
        )

    async def _transact(
        self, batch: Sequence[_Pending], orders: Sequence[HoldRequest | Charge], *, again: bool
    ) -> list[Ruling | Settled | HoldRefused]:
        async with self._database.work(durable=False) as work:
            books = await self._open(work, batch, again=again)
            results: list[Ruling | Settled | HoldRefused] = [
                _order(books, order) for order in orders
            ]
            await work.budgets.keep(books)
            results = [await self._timed(work, books, result) for result in results]
            await _wake_sleepers(work, books)
            await work.commit()
        return results

    async def _open(
        self, work: UnitOfWork, batch: Sequence[_Pending], *, again: bool
    ) -> BudgetLedger:
        budgets: dict[str, Budget] = {}
        for pending in batch:
            budgets.update((budget.key.id, budget) for budget in pending.order.budgets)
        # A commit whose answer was lost may have placed claims: at a second try they count once.
        ids = [one.order.id for one in batch if again or one.is_known]
        return await work.budgets.open_books(list(budgets.values()), ids, self._clock.now())

    async def _timed(
        self, work: UnitOfWork, books: BudgetLedger, result: Ruling | Settled | HoldRefused
    ) -> Ruling | Settled | HoldRefused:
        if not isinstance(result, OverBudget):
            return result
        budget = result.budget
        spent = await work.budgets.spent(budget.key) if budget.is_rolling else []
        until = frees_at(budget, result.tally, result.usd, spent, books.now)
        return HoldRefused(result, until)


async def _wake_sleepers(work: UnitOfWork, books: BudgetLedger) -> None:
    """Let them go on, in order, when a late bill is lower than what was counted for its call."""
    freed = sorted(books.freed)
    await work.parkings.line_up([key.limit_key for key in freed])
    for key in freed:
        await wake_all(work, key.limit_key, books.now)


def _order(books: BudgetLedger, order: HoldRequest | Charge) -> Ruling | Settled | HoldRefused:
    return books.settle(order) if isinstance(order, Charge) else books.place(order)


def _look_at(done: "asyncio.Future[Any]") -> None:
    if not done.cancelled():
        done.exception()  # an exception nobody awaits is not worth a warning
