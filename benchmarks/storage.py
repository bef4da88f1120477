"""Storage: latency and CPU of one unit of work, alone and with 32 callers at once.

Ours, waiting for the disk (durable) and not, beside SQLAlchemy's async engine over aiosqlite with
`synchronous` FULL and NORMAL, on the same disk in the same run. One attempt is one row of the
ledger with its four indexes; a step is a turn's move, an event and a commit.

    python -m benchmarks.storage [--units 600] [--postgres URL] [--json]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import noctule  # noqa: F401 - first: it puts the role folders on the path
from noctule.core.clock import SystemClock
from noctule.core.llm.attempts import Attempt, CostSource, Purpose, Usage
from noctule.core.llm.events import EventKind
from noctule.core.ports.database import Database
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Session, SessionKind, Turn
from storage.open import open_database
from storage.tables import metadata

Unit = Callable[[int], Awaitable[None]]
Opener = Callable[[Path], AbstractAsyncContextManager[Unit]]
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def an_attempt(number: int) -> Attempt:
    """Return an attempt as a real call leaves it."""
    return Attempt(
        id=f"01a200c7-5b8e-769f-8828-{number:012d}",
        call_id=f"01a200c7-5b8e-769f-8829-{number:012d}",
        session_id="01a200c7-5b8e-769f-8828-31dd61e94849",
        turn_id="01a200c7-5b8e-7f2a-a793-835a517cc1a4",
        role="writer",
        purpose=Purpose.ANSWER,
        model="haiku",
        endpoint="cloud",
        outcome=Outcome.SUCCESS,
        started_at=NOW,
        wait_s=0.0,
        first_token_s=0.4,
        duration_s=2.5,
        usage=Usage(1200, 300, 1000, 0, 0, None),
        cost_usd=Decimal("0.0012"),
        cost_source=CostSource.CONFIG,
    )


@asynccontextmanager
async def attempts(folder: Path, *, durable: bool, url: str = "sqlite") -> AsyncIterator[Unit]:
    """Write one attempt in one unit of work."""
    database = await open_database(url, data_folder=folder, clock=SystemClock())

    async def unit(number: int) -> None:
        async with database.work(durable=durable) as work:
            await work.attempts.add(an_attempt(number))
            await work.commit()

    yield unit
    await database.close()


@asynccontextmanager
async def steps(folder: Path, *, durable: bool, url: str = "sqlite") -> AsyncIterator[Unit]:
    """Move a turn and append an event in one unit of work."""
    database = await open_database(url, data_folder=folder, clock=SystemClock())
    await _with_turns(database)

    async def unit(number: int) -> None:
        status = Status.RUNNING if number // 32 % 2 == 0 else Status.PARKED
        async with database.work(durable=durable) as work:
            await work.turns.move(f"t{number % 32}", status, at=NOW)
            await work.events.append(
                "s", f"t{number % 32}", [(EventKind.NOTICE, {"n": number})], at=NOW
            )
            await work.commit()

    yield unit
    await database.close()


async def _with_turns(database: Database) -> None:
    async with database.work() as work:
        await work.sessions.add(Session("s", "local", SessionKind.RUN, None, NOW))
        for number in range(32):
            await work.turns.add(Turn(f"t{number}", "s", "hello", Status.QUEUED, NOW))
        await work.commit()


@asynccontextmanager
async def aiosqlite_attempts(folder: Path, *, synchronous: str) -> AsyncIterator[Unit]:
    """Write one attempt through SQLAlchemy's async engine, one writer at a time."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{folder / 'plain.db'}", connect_args={"isolation_level": None}
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "busy_timeout=30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    insert, lock = metadata.tables["attempts"].insert(), asyncio.Lock()

    async def unit(number: int) -> None:
        row = {c.name: getattr(an_attempt(number), c.name, None) for c in insert.table.columns}
        async with lock, engine.connect() as connection:
            await connection.execute(insert, row | {"skipped": []})
            await connection.commit()

    yield unit
    await engine.dispose()


async def measure(opener: Opener, units: int, callers: int) -> dict[str, float]:
    """Return median and 99th percentile latency and CPU, in milliseconds per unit."""
    latencies: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with opener(Path(folder)) as unit:

            async def caller(first: int) -> None:
                for number in range(first, units, callers):
                    began = time.perf_counter()
                    await unit(number)
                    latencies.append(time.perf_counter() - began)

            cpu = time.process_time()
            await asyncio.gather(*(caller(first) for first in range(callers)))
            cpu = time.process_time() - cpu
    latencies.sort()
    return {
        "median_ms": round(statistics.median(latencies) * 1000, 3),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 3),
        "cpu_ms": round(cpu / units * 1000, 3),
    }


def contenders(postgres: str | None) -> dict[str, Opener]:
    """Return what is measured, by name."""
    found: dict[str, Opener] = {
        "attempt, ours, durable": partial(attempts, durable=True),
        "attempt, ours, not waiting": partial(attempts, durable=False),
        "attempt, aiosqlite, FULL": partial(aiosqlite_attempts, synchronous="FULL"),
        "attempt, aiosqlite, NORMAL": partial(aiosqlite_attempts, synchronous="NORMAL"),
        "step, ours, durable": partial(steps, durable=True),
        "step, ours, not waiting": partial(steps, durable=False),
    }
    if postgres is not None:
        found["attempt, postgres, durable"] = partial(attempts, durable=True, url=postgres)
        found["step, postgres, durable"] = partial(steps, durable=True, url=postgres)
    return found


def main() -> None:
    """Measure everything and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=600)
    parser.add_argument("--postgres", help="URL of an empty database, to measure it too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    for name, opener in contenders(options.postgres).items():
        for callers in (1, 32):
            if callers > 1 and "postgres" in name:
                continue  # the same rows again
            print(name, callers, file=sys.stderr)
            results[f"{name}, {callers} at once"] = asyncio.run(
                measure(opener, options.units, callers)
            )
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print(f"{'':42}{'median ms':>10}{'p99 ms':>10}{'CPU ms':>10}")
    for name, row in results.items():
        print(f"{name:42}{row['median_ms']:10.3f}{row['p99_ms']:10.3f}{row['cpu_ms']:10.3f}")


if __name__ == "__main__":
    main()
