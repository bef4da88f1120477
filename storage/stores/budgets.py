"""What budgets have come to, and the holds on them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql

from noctule.core.budgets.budget_ledger import BudgetLedger, horizon
from noctule.core.budgets.budgets import (
    CLOCK_SLACK,
    Budget,
    BudgetKey,
    BudgetUsage,
    Hold,
    HoldState,
)
from noctule.core.budgets.corrections import Correction
from storage.base.transaction import Transaction
from storage.base.upsert import upsert
from storage.tables.budgets import budget_corrections, budget_holds, budget_windows, is_held

_OF: sa.BindParameter[Any] = sa.bindparam("budgets", expanding=True)

_TALLIES = sa.select(budget_windows).order_by(budget_windows.c.id)
_LOCK = _TALLIES.where(budget_windows.c.id.in_(_OF)).with_for_update()
_KNOWN = sa.select(budget_windows.c.id).where(budget_windows.c.id.in_(_OF))
_MAKE = postgresql.insert(budget_windows).on_conflict_do_nothing()
_PUT_TALLY = upsert(budget_windows)

_HOLDS = sa.select(budget_holds)
_BILLED = _HOLDS.where(budget_holds.c.id.in_(sa.bindparam("ids", expanding=True)))
# Locked, each in the same order: they may be written back, and their own process may mark them as
# sent meanwhile, which locks no budget.
_LOCKED = _HOLDS.order_by(budget_holds.c.id, budget_holds.c.budget).with_for_update()
_OVERDUE = _LOCKED.where(
    budget_holds.c.budget.in_(_OF), is_held, budget_holds.c.expires_at <= sa.bindparam("now")
)
_AHEAD = _LOCKED.where(budget_holds.c.budget.in_(_OF), budget_holds.c.at > sa.bindparam("soon"))
_MARK_SENT = (
    budget_holds.update()
    .where(
        budget_holds.c.id.in_(sa.bindparam("ids", expanding=True)),
        is_held,
        budget_holds.c.expires_at > sa.bindparam("now"),
    )
    .values(sent=True)
    .returning(budget_holds.c.id)
)
_PAST = _HOLDS.where(
    budget_holds.c.budget == sa.bindparam("one"),
    budget_holds.c.at <= sa.bindparam("horizon"),
    ~is_held,
)
_SPENT = _HOLDS.where(budget_holds.c.budget == sa.bindparam("one"), ~is_held).order_by(
    budget_holds.c.at
)
_HELD = _HOLDS.where(is_held).order_by(budget_holds.c.at, budget_holds.c.id)
_CORRECTIONS = sa.select(budget_corrections).order_by(budget_corrections.c.id)
_PUT_HOLD = upsert(budget_holds)
_DROP = budget_holds.delete().where(
    budget_holds.c.id == sa.bindparam("gone"), budget_holds.c.budget == sa.bindparam("from_budget")
)
_CLOSE_WINDOW = budget_holds.delete().where(
    budget_holds.c.budget == sa.bindparam("turned"), ~is_held
)


class SqlBudgets:
    """What budgets have come to, and the holds on them."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def open_books(
        self, budgets: Sequence[Budget], hold_ids: Sequence[str], now: datetime
    ) -> BudgetLedger:
        """Lock the rows of some budgets, in the order of their keys, and return their books."""
        return await self._transaction.run(_open, budgets, hold_ids, now)

    async def keep(self, books: BudgetLedger) -> None:
        """Write back what books say has changed."""
        await self._transaction.run(_keep, books)

    async def mark_sent(self, hold_ids: Sequence[str], now: datetime) -> Mapping[str, int]:
        """Note that the requests of some calls leave; return how many holds of each were marked."""
        return await self._transaction.run(_mark_sent, hold_ids, now)

    async def spent(self, key: BudgetKey) -> list[Hold]:
        """Return what counts as spent in a rolling window, oldest first."""
        return await self._transaction.run_long(_holds, _SPENT, {"one": key.id})

    async def tallies(self) -> list[BudgetUsage]:
        """Return every stored tally, in the order of keys."""
        return await self._transaction.run(_list)

    async def held(self) -> list[Hold]:
        """Return the holds of calls under way, oldest first."""
        return await self._transaction.run(_holds, _HELD, {})

    async def correct(self, correction: Correction) -> None:
        """Put a correction on record."""
        await self._transaction.run(_correct, correction)

    async def corrections(self) -> list[Correction]:
        """Return every correction, oldest first."""
        return await self._transaction.run(_corrections)


def _correct(connection: Connection, correction: Correction) -> None:
    connection.execute(
        budget_corrections.insert(),
        {
            "id": correction.id,
            "budget": correction.key.id,
            "amount_nano_usd": correction.usd,
            "calls": correction.calls,
            "why": correction.why,
            "at": correction.at,
        },
    )


def _corrections(connection: Connection) -> list[Correction]:
    rows = connection.execute(_CORRECTIONS)
    return [
        Correction(
            row.id, BudgetKey.read(row.budget), row.amount_nano_usd, row.calls, row.why, row.at
        )
        for row in rows
    ]


def _open(
    connection: Connection, budgets: Sequence[Budget], hold_ids: Sequence[str], now: datetime
) -> BudgetLedger:
    ids = sorted({budget.key.id for budget in budgets})
    tallies = _lock(connection, ids)
    holds: list[Hold] = []
    if hold_ids:
        holds += _holds(connection, _BILLED, {"ids": list(hold_ids)})
    holds += _holds(connection, _OVERDUE, {"budgets": ids, "now": now})
    if any(tally.seen_at and tally.seen_at > now + CLOCK_SLACK for tally in tallies):
        holds += _holds(connection, _AHEAD, {"budgets": ids, "soon": now + CLOCK_SLACK})
    for budget in {budget.key: budget for budget in budgets}.values():
        reach = horizon(budget, now)
        if reach is not None:
            holds += _holds(connection, _PAST, {"one": budget.key.id, "horizon": reach})
    return BudgetLedger(now, tallies, holds)


def _lock(connection: Connection, ids: Sequence[str]) -> list[BudgetUsage]:
    if connection.dialect.name == "postgresql":
        _make(connection, ids)
    return [_tally(row) for row in connection.execute(_LOCK, {"budgets": ids})]


def _make(connection: Connection, ids: Sequence[str]) -> None:
    """Make rows that are not there yet, before any is locked.

    What is not there cannot be locked, and whoever made a row while holding others would meet
    somebody who holds that row and waits for those.
    """
    known = set(connection.execute(_KNOWN, {"budgets": ids}).scalars())
    new = [_columns(BudgetUsage(BudgetKey.read(name))) for name in ids if name not in known]
    if new:
        connection.execute(_MAKE, new)


def _keep(connection: Connection, books: BudgetLedger) -> None:
    dialect = connection.dialect.name
    if books.tallies:
        connection.execute(_PUT_TALLY[dialect], [_columns(tally) for tally in books.tallies])
    if books.turned:
        connection.execute(_CLOSE_WINDOW, [{"turned": key.id} for key in sorted(books.turned)])
    if books.gone:
        gone = [{"gone": id_, "from_budget": key.id} for id_, key in sorted(books.gone)]
        connection.execute(_DROP, gone)
    if books.kept:
        connection.execute(_PUT_HOLD[dialect], [_hold_columns(h) for h in books.kept.values()])


def _mark_sent(connection: Connection, hold_ids: Sequence[str], now: datetime) -> Mapping[str, int]:
    marked = connection.execute(_MARK_SENT, {"ids": list(hold_ids), "now": now})
    return Counter(marked.scalars())


def _holds(connection: Connection, statement: sa.Select[Any], values: dict[str, Any]) -> list[Hold]:
    return list(_read(connection.execute(statement, values)))


def _list(connection: Connection) -> list[BudgetUsage]:
    return sorted((_tally(row) for row in connection.execute(_TALLIES)), key=lambda t: t.key)


def _read(rows: Iterable[sa.Row[Any]]) -> Iterable[Hold]:
    for row in rows:
        state: HoldState = row.state
        yield Hold(
            row.id,
            BudgetKey.read(row.budget),
            row.amount_nano_usd,
            state,
            row.at,
            row.expires_at,
            row.sent,
        )


def _columns(tally: BudgetUsage) -> dict[str, Any]:
    return {
        "id": tally.key.id,
        "limit_nano_usd": tally.usd,
        "number": tally.number,
        "started_at": tally.started_at,
        "ends_at": tally.ends_at,
        "settled_nano_usd": tally.settled_usd,
        "held_nano_usd": tally.held_usd,
        "recovered_nano_usd": tally.recovered_usd,
        "over_nano_usd": tally.over_usd,
        "warned": tally.warned,
        "seen_at": tally.seen_at,
    }


def _tally(row: sa.Row[Any]) -> BudgetUsage:
    return BudgetUsage(
        key=BudgetKey.read(row.id),
        usd=row.limit_nano_usd,
        number=row.number,
        started_at=row.started_at,
        ends_at=row.ends_at,
        settled_usd=row.settled_nano_usd,
        held_usd=row.held_nano_usd,
        recovered_usd=row.recovered_nano_usd,
        over_usd=row.over_nano_usd,
        warned=row.warned,
        seen_at=row.seen_at,
    )


def _hold_columns(hold: Hold) -> dict[str, Any]:
    return {
        "id": hold.id,
        "budget": hold.key.id,
        "amount_nano_usd": hold.usd,
        "state": hold.state,
        "at": hold.at,
        "expires_at": hold.expires_at,
        "sent": hold.sent,
    }
