"""What a hold and its settle cost, whether money is ever overspent, and random histories.

``python -m benchmarks.budgets`` measures 32 callers at once on SQLite and forty calls at once under
a budget that pays for a few, beside LiteLLM's budget limiter where that is installed.
``--histories 10000 --postgres 1000`` also plays random histories of failures, deaths and wrong
clocks (seven minutes) and ends with 1 when any of them passes a limit.
"""

import argparse
import asyncio
import importlib
import importlib.util
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

from langchain_core.messages import HumanMessage

import noctule  # noqa: F401 - first: it puts the role folders on the path
from noctule.core.base.roles import Role
from noctule.core.budgets.budget_scopes import BudgetSubject
from noctule.core.clock import SystemClock
from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.ports.database import Database
from noctule.core.settings import Settings
from noctule.heap import settle_heap
from noctule.models.request.chat_request import ChatRequest
from noctule.models.request.meter import Meter
from noctule.models.spend.budgets import Budgets, CallHold, InsufficientBudget, Size
from noctule.models.spend.cost_bounds import (
    DEFAULT_MAX_TOKENS,
    LEAST_ANSWER_TOKENS,
    most_input_tokens,
)
from noctule.models.spend.prices import Prices
from storage.open import open_database
from tests.support.budget_histories import History
from tests.support.postgres import fresh_database, running_server
from tests.support.scratch import scratch_database
from tests.support.stage import make_settings

CALLERS = 32
ROUNDS = 60
A_CALL_S = 0.25
AT_ONCE = 40
HISTORIES_A_FILE = 50


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budgets", description=__doc__)
    parser.add_argument("--histories", type=int, default=0, help="random histories on SQLite")
    parser.add_argument("--postgres", type=int, default=0, help="random histories on PostgreSQL")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder)))
        asyncio.run(_overspend(Path(folder)))
    asyncio.run(_unspent())
    _litellm()
    try:
        if chosen.histories:
            asyncio.run(_sqlite_histories(chosen.histories))
        if chosen.postgres:
            _postgres_histories(chosen.postgres)
    except AssertionError as error:
        _say(f"a history passed a limit: {error}")
        return 1
    return 0


async def _measure(folder: Path) -> None:
    for what, pause_s in (("calls of 250 ms between", A_CALL_S), ("nothing between", 0.0)):
        database = await open_database(
            f"sqlite:///{folder}/{pause_s}.db", data_folder=folder, clock=SystemClock()
        )
        budgets = _budgets(_settings("1000000"), database)
        times: list[float] = []

        async def caller(
            number: int,
            pause_s: float = pause_s,
            budgets: Budgets = budgets,
            times: list[float] = times,
        ) -> None:
            await SystemClock().sleep(pause_s * number / CALLERS)
            for _ in range(ROUNDS if not pause_s else ROUNDS // 4):
                begun = time.perf_counter()
                funds = await _place(budgets)
                if isinstance(funds, CallHold):
                    await budgets.leaves(funds)
                held = time.perf_counter()
                if isinstance(funds, InsufficientBudget):
                    raise SystemExit(funds.reason)
                await SystemClock().sleep(pause_s)
                paid = time.perf_counter()
                await budgets.settle(funds, Decimal("0.001"))
                times.append((held - begun) + (time.perf_counter() - paid))

        settle_heap()  # as serve does once it is open
        await asyncio.gather(*(caller(number) for number in range(CALLERS)))
        await budgets.close()
        await database.close()
        worst = statistics.quantiles(times, n=100)[98]
        _say(
            f"hold + settle, {CALLERS} callers, three budgets, {what}: "
            f"median {statistics.median(times) * 1000:.2f} ms, p99 {worst * 1000:.2f} ms"
        )


async def _overspend(folder: Path) -> None:
    database = await open_database(
        f"sqlite:///{folder}/over.db", data_folder=folder, clock=SystemClock()
    )
    budget = Decimal("0.0005")
    budgets = _budgets(_settings(str(budget)), database)

    async def call() -> bool:
        funds = await _place(budgets, output_tokens=20)
        if not isinstance(funds, CallHold):
            return False
        await SystemClock().sleep(0.05)
        await budgets.settle(funds, Decimal("0.00021"))
        return True

    paid = await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    async with database.read() as work:
        spent = max(tally.settled_usd for tally in await work.budgets.tallies())
    _say(
        f"{AT_ONCE} calls at once under ${budget}: {sum(paid)} paid, ${spent} spent, "
        f"{spent / budget:.2f} times the budget"
    )
    await budgets.close()
    await database.close()


async def _unspent() -> None:
    """Spend a budget that pays for eight calls, held to bytes and to what was counted."""
    text = "The meeting is moved to Thursday; ask her whether the second draft is ready. " * 125
    prompt = [HumanMessage(text)]
    tokens, cost = 2_000, Decimal("0.0035")  # 2,000 tokens at $1 a million, 300 at $5
    meter = Meter()
    for number in range(3):
        meter.learn([HumanMessage(f"{number} {text}")], (), tokens)
    for how, known in (("bytes", None), ("counts", meter)):
        budgets = _budgets(_settings(str(cost * 8), {"input": 1, "output": 5}))
        counts = partial(most_input_tokens, ChatRequest(messages=prompt), known)
        size = Size(counts, DEFAULT_MAX_TOKENS, LEAST_ANSWER_TOKENS)
        subject, calls = BudgetSubject(Role.ENGINEER, "s1", "local"), 0
        while isinstance(funds := await budgets.place("first", subject, size, most_s=60), CallHold):
            await budgets.settle(funds, cost)
            calls += 1
        await budgets.close()
        _say(
            f"a budget of 8 calls of {tokens} and 300 tokens, held by {how} ({counts()} tokens): "
            f"{calls} made, {(8 - calls) / 8:.0%} left unspent"
        )


def _litellm() -> None:
    if importlib.util.find_spec("litellm") is None:
        _say(
            "LiteLLM is not installed here, so its budget limiter was not measured. (Version "
            "1.106.2, measured 2026-11: the same load spent 16 times the budget.)"
        )
        return
    asyncio.run(_litellm_overspend())


async def _litellm_overspend() -> None:
    budget = 0.0005
    router = importlib.import_module("litellm").Router(
        model_list=[
            {
                "model_name": "m",
                "litellm_params": {
                    "model": "openai/m",
                    "api_key": "none",
                    "mock_response": "word " * 20,
                    "mock_delay": 0.05,
                    "max_budget": budget,
                    "budget_duration": "1h",
                    "input_cost_per_token": 0,
                    "output_cost_per_token": 0.00001,
                },
            }
        ],
        num_retries=0,
    )

    async def call() -> float:
        try:
            answer = await router.acompletion("m", messages=[{"role": "user", "content": "hello"}])
        except Exception:  # noqa: BLE001 - refused for whatever reason: nothing spent
            return 0.0
        return float(answer.usage.completion_tokens) * 0.00001

    spent = sum(await asyncio.gather(*(call() for _ in range(AT_ONCE))))
    _say(
        f"LiteLLM, {AT_ONCE} calls at once under ${budget}: ${spent:.5f} spent, "
        f"{spent / budget:.2f} times the budget"
    )


async def _sqlite_histories(count: int) -> None:
    begun, calls = time.perf_counter(), 0
    for first in range(0, count, HISTORIES_A_FILE):
        with tempfile.TemporaryDirectory() as folder:
            database = await open_database("sqlite", data_folder=Path(folder), clock=SystemClock())
            calls += await _play(database, range(first, min(first + HISTORIES_A_FILE, count)))
            await database.close()
    _told("SQLite", count, calls, begun)


def _postgres_histories(count: int) -> None:
    begun, calls = time.perf_counter(), 0
    with running_server() as server:
        for first in range(0, count, HISTORIES_A_FILE):
            with fresh_database(server) as url:
                last = min(first + HISTORIES_A_FILE, count)
                calls += asyncio.run(_on_postgres(url, range(first, last)))
    _told("PostgreSQL", count, calls, begun)


async def _on_postgres(url: str, seeds: range) -> int:
    database = await open_database(url, data_folder=Path(), clock=SystemClock())
    try:
        return await _play(database, seeds)
    finally:
        await database.close()


async def _play(database: Database, seeds: range) -> int:
    calls = 0
    for seed in seeds:
        history = History(random.Random(seed), prefix=f"{seed}-")
        await history.play(database, steps=30)
        calls += history.paid + history.refused
    return calls


def _told(where: str, count: int, calls: int, begun: float) -> None:
    _say(
        f"{count} random histories on {where}: {calls} calls, no limit passed, no hold left "
        f"({time.perf_counter() - begun:.0f} s)"
    )


async def _place(budgets: Budgets, *, output_tokens: int = 100) -> CallHold | InsufficientBudget:
    subject = BudgetSubject(Role.ENGINEER, "s1", "local")
    return await budgets.place("first", subject, Size(lambda: 0, output_tokens), most_s=60)


def _budgets(settings: Settings, database: Database | None = None) -> Budgets:
    cost: Callable[..., tuple[Decimal | None, CostSource | None]] = Prices(
        settings.endpoints, settings.models
    ).list_cost
    assert cost("first", Usage(0, 1), SystemClock().now())[0]
    return Budgets(settings, database or scratch_database(), SystemClock(), cost)


def _settings(usd: str, price: dict[str, int] | None = None) -> Settings:
    window = {"usd": usd, "window": "5h"}
    return make_settings(
        endpoints={"cloud": {"kind": "openai", "url": "http://127.0.0.1:1/v1"}},
        models={"first": {"endpoint": "cloud", "price": price or {"input": 0, "output": 12}}},
        budgets={
            "all": {"scope": "global", **window},
            "each": {"scope": "session", **window},
            "writers": {"scope": "role", "of": "engineer", **window},
        },
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
