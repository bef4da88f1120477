import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noctule.core.ports.database import Database
from tests.contract.conftest import Opener
from tests.support.budget_histories import History
from tests.support.fuzzing import examples
from tests.support.scratch import close_scratch, scratch_database


@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck), deadline=None)
@given(st.integers(min_value=0), st.integers(1, 60))
def test_no_history_ever_passes_a_limit(seed: int, steps: int) -> None:
    """Whatever fails, dies or sets the clock wrong: settled and held stay within the limit."""

    async def play() -> None:
        await History(random.Random(seed)).play(scratch_database(), steps)

    asyncio.run(play())
    close_scratch()


@pytest.mark.fuzz
async def test_histories_on_every_database(database: Database) -> None:
    """The same on the real ones, many histories in one database."""
    for number in range(examples(4)):
        chance = random.Random(number)
        await History(chance, prefix=f"{number}-").play(database, 30)


@pytest.mark.fuzz
async def test_histories_side_by_side_through_several_connections(open_again: Opener) -> None:
    """Callers that share budgets and know nothing of each other, on connections of their own."""
    databases = [await open_again() for _ in range(3)]
    for round_ in range(examples(2)):
        budgets = History(random.Random(round_), prefix=f"{round_}-").budgets
        callers = []
        for number in range(9):
            caller = History(random.Random(round_ * 100 + number), prefix=f"{round_}-{number}-")
            caller.budgets = budgets
            callers.append((caller, databases[number % 3]))
        await asyncio.gather(*(_steps(caller, database) for caller, database in callers))
        await _look(callers[0][0], databases[0])


async def _steps(history: History, database: Database) -> None:
    for _ in range(20):
        await history.step(database)


async def _look(history: History, database: Database) -> None:
    async with database.read() as work:
        tallies = await work.budgets.tallies()
        held = await work.budgets.held()
    for budget in history.budgets:
        for tally in tallies:
            if tally.key == budget.key:
                assert tally.settled_usd + tally.held_usd <= tally.usd
                assert tally.over_usd == 0
                mine = [hold.usd for hold in held if hold.key == tally.key]
                assert sum(mine) == tally.held_usd
