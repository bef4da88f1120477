import asyncio
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from noctule.core.books import Claim, Placed, Waits
from noctule.core.clock import SystemClock
from storage.open import open_database
from tests.support.budget_records import a_budget

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
DAILY = a_budget()


async def killed_at(url: str, point: str) -> None:
    """Run a payer and end it with SIGKILL at a point."""
    payer = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.budget_victim", url, point),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert payer.stdout is not None
    async with asyncio.timeout(60):
        assert (await payer.stdout.readline()).decode().strip() == point
    payer.kill()
    await payer.wait()


@pytest.mark.parametrize(
    ("point", "held", "settled", "recovered"),
    [
        ("in-hold", "0", "0", "0"),
        ("after-hold", "0.60", "0", "0.60"),
        ("in-settle", "0.60", "0", "0.60"),
        ("after-settle", "0", "0.20", "0"),
    ],
)
async def test_a_kill_loses_no_money(
    tmp_path: Path, point: str, held: str, settled: str, recovered: str
) -> None:
    """Held, or recovered as spent once it must be dead, or settled: never half, never forgotten."""
    url = f"sqlite:///{tmp_path / 'noctule.db'}"
    await killed_at(url, point)
    clock = SystemClock()
    database = await open_database(url, data_folder=tmp_path, clock=clock)
    try:
        async with database.read() as work:
            tallies = await work.budgets.tallies()
        now = [(tally.held_usd, tally.settled_usd) for tally in tallies] or [(0, 0)]
        assert now == [(Decimal(held), Decimal(settled))]
        soon = clock.now()
        for at, expected in ((soon, held), (soon + timedelta(minutes=7), "0")):
            claim = Claim("next", Decimal("0.50"), (DAILY,), at + timedelta(minutes=6))
            async with database.work() as work:
                books = await work.budgets.open_books((DAILY,), [], at)
                ruling = books.place(claim)
                tally = books.open(DAILY)
                if at is soon:
                    assert isinstance(ruling, Waits if Decimal(expected) else Placed)
                else:
                    assert tally.recovered_usd == Decimal(recovered)
    finally:
        await database.close()
