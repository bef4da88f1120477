"""Random histories of calls under budgets, played against a database and checked at every step.

A history holds, settles, fails, dies, lets time pass and sets clocks wrong. After every step no
window of any budget has more spent and held than its limit, whatever happened.
"""

import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from noctule.core.budgets.budget_ledger import Charge, HoldPlaced, HoldRequest
from noctule.core.budgets.budgets import Budget, BudgetKey, BudgetUsage, HoldState
from noctule.core.ports.database import Database
from noctule.core.times.windows import CalendarUnit, Window, WindowKind
from tests.support.stored_records import NOON

MOST = timedelta(minutes=6)
_MILLI = Decimal("0.001")


def random_budgets(chance: random.Random) -> tuple[Budget, ...]:
    """Return one to four budgets with windows of every kind."""
    windows: list[Window | None] = [
        Window(WindowKind.FIRST_USE, timedelta(minutes=chance.randint(5, 90))),
        Window(WindowKind.ROLLING, timedelta(minutes=chance.randint(5, 90))),
        Window(WindowKind.ALIGNED, timedelta(minutes=chance.choice([20, 60, 300]))),
        Window(WindowKind.ALIGNED, CalendarUnit.DAY),
        None,
    ]
    return tuple(
        Budget(
            BudgetKey(f"b{number}", chance.choice(["", "s1"])),
            chance.randint(0, 2000) * _MILLI,
            chance.choice(windows),
            warn_usd=chance.choice([None, Decimal("0.5")]),
        )
        for number in range(chance.randint(1, 4))
    )


@dataclass
class History:
    """One history.

    Args:
        chance: decides everything.
        prefix: of its budgets and holds, so that many can share one database.
    """

    chance: random.Random
    prefix: str = ""
    now: datetime = NOON
    open: dict[str, HoldRequest] = field(default_factory=dict)
    dead: dict[str, HoldRequest] = field(default_factory=dict)
    numbers: dict[BudgetKey, int] = field(default_factory=lambda: defaultdict(int))
    paid: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self.budgets = tuple(
            Budget(
                BudgetKey(f"{self.prefix}{b.key.name}", b.key.part),
                b.usd,
                b.window,
                warn_usd=b.warn_usd,
            )
            for b in random_budgets(self.chance)
        )
        self._count = 0

    async def play(self, database: Database, steps: int) -> None:
        """Play some steps, then let everything come to its end."""
        for _ in range(steps):
            await self.step(database)
            await self.check(database)
        await self.finish(database)

    async def step(self, database: Database) -> None:
        """Do one thing."""
        what = self.chance.random()
        if what < 0.45 or not self.open:
            await self._claim(database)
        elif what < 0.75:
            await self._end(database, self.open.pop(self.chance.choice(sorted(self.open))))
        elif what < 0.85:
            name = self.chance.choice(sorted(self.open))
            self.dead[name] = self.open.pop(name)
        elif what < 0.97:
            self.now += timedelta(seconds=self.chance.expovariate(1 / 400))
        else:
            self.now += timedelta(seconds=self.chance.choice([-86400, -7200, -90, 7200, 86400]))

    async def _claim(self, database: Database) -> None:
        self._count += 1
        covering = self.chance.sample(self.budgets, self.chance.randint(1, len(self.budgets)))
        usd = self.chance.randint(1, 900) * _MILLI
        sent = self.chance.random() < 0.5
        claim = HoldRequest(
            f"{self.prefix}h{self._count}", usd, tuple(covering), self.now + MOST, sent
        )
        kills = self.chance.random() < 0.05
        async with database.work(durable=False) as work:
            books = await work.budgets.open_books(claim.budgets, [], self.now)
            ruling = books.place(claim)
            await work.budgets.keep(books)
            if kills:
                return
            await work.commit()
        if isinstance(ruling, HoldPlaced):
            self.paid += 1
            if claim.sent or self.chance.random() < 0.8:
                await self._send(database, claim)
            else:
                self.dead[claim.id] = claim
        else:
            self.refused += 1

    async def _send(self, database: Database, claim: HoldRequest) -> None:
        """Note that a request leaves; one that was held up for too long may be refused."""
        if self.chance.random() < 0.1:
            self.now += timedelta(seconds=self.chance.expovariate(1 / 400))
        leaving = replace(claim, sent=True, expires_at=self.now + MOST)
        async with database.work(durable=False) as work:
            marked = await work.budgets.mark_sent([claim.id], self.now)
            await work.commit()
        if marked.get(claim.id) == len(claim.budgets):
            self.open[claim.id] = claim
            return
        async with database.work(durable=False) as work:
            books = await work.budgets.open_books(claim.budgets, [claim.id], self.now)
            ruling = books.place(leaving)
            await work.budgets.keep(books)
            await work.commit()
        if isinstance(ruling, HoldPlaced):
            self.open[claim.id] = claim
        else:
            self.refused += 1

    async def _end(self, database: Database, claim: HoldRequest) -> None:
        share = self.chance.choice([Decimal(0), Decimal(0), Decimal("0.3"), Decimal(1)])
        bill = Charge(claim.id, (claim.usd * share).quantize(_MILLI), claim.budgets)
        kills = self.chance.random() < 0.05
        async with database.work(durable=False) as work:
            books = await work.budgets.open_books(bill.budgets, [bill.id], self.now)
            books.settle(bill)
            await work.budgets.keep(books)
            if kills:
                self.dead[claim.id] = claim
                return
            await work.commit()
        if self.chance.random() < 0.1:
            self.open[claim.id] = claim

    async def check(self, database: Database) -> None:
        """See that no limit is passed, sums agree with holds, and windows only go on by one."""
        async with database.read() as work:
            tallies = [t for t in await work.budgets.tallies() if self._mine(t.key)]
            held = [h for h in await work.budgets.held() if self._mine(h.key)]
            spent = {t.key: await work.budgets.spent(t.key) for t in tallies}
        sums: defaultdict[BudgetKey, Decimal] = defaultdict(Decimal)
        for hold in held:
            sums[hold.key] += hold.usd
        rolling = {budget.key for budget in self.budgets if budget.is_rolling}
        for tally in tallies:
            assert tally.settled_usd + tally.held_usd <= tally.usd, tally
            assert min(tally.settled_usd, tally.held_usd, tally.recovered_usd) >= 0, tally
            assert tally.over_usd == 0, tally
            assert sums[tally.key] == tally.held_usd, tally
            if tally.key in rolling:
                assert sum(h.usd for h in spent[tally.key]) == tally.settled_usd, tally
            self._turned_once(tally)

    def _turned_once(self, tally: BudgetUsage) -> None:
        before = self.numbers[tally.key]
        assert before <= tally.number <= before + 1, tally
        self.numbers[tally.key] = tally.number

    async def finish(self, database: Database) -> None:
        """Let what is under way settle and time pass: nothing stays held."""
        for claim in list(self.open.values()):
            bill = Charge(claim.id, claim.usd, claim.budgets)
            async with database.work(durable=False) as work:
                books = await work.budgets.open_books(bill.budgets, [bill.id], self.now)
                books.settle(bill)
                await work.budgets.keep(books)
                await work.commit()
            await self.check(database)
        self.now += 2 * MOST
        for _ in range(2):  # a hold placed by a clock that was ahead is first drawn back
            async with database.work(durable=False) as work:
                books = await work.budgets.open_books(self.budgets, [], self.now)
                for budget in self.budgets:
                    books.open(budget)
                await work.budgets.keep(books)
                await work.commit()
            await self.check(database)
            self.now += 2 * MOST
        async with database.read() as work:
            assert [h for h in await work.budgets.held() if self._mine(h.key)] == []
            for budget in self.budgets:
                states = {hold.state for hold in await work.budgets.spent(budget.key)}
                assert HoldState.HELD not in states

    def _mine(self, key: BudgetKey) -> bool:
        return any(budget.key == key for budget in self.budgets)
