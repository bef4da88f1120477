"""The model layer: its CPU per call over a bare ChatOpenAI, and how fast a fallback answers.

The provider runs on loopback in a process of its own. CPU is that of this process alone, threads
included; the ways of calling take turns, and the quickest of several rounds counts, because the
machine is rarely idle. litellm.Router is measured beside them where it is installed.

    python -m benchmarks.model_layer [--calls 200] [--rounds 5] [--json]
"""

import argparse
import asyncio
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from noctule.core.base.roles import Role
from noctule.core.clock import SystemClock
from noctule.core.llm.calls import CallContext
from noctule.core.ports.database import Database
from noctule.core.settings import Settings
from noctule.models.binding.models import Models
from noctule.models.spend.prices import Prices
from storage.open import open_database
from tests.support.scratch import scratch_database

Ask = Callable[[], Awaitable[object]]

PROVIDER = Path(__file__).parents[1] / "tests" / "support" / "provider.py"
MESSAGES = [SystemMessage("You are brief."), HumanMessage("Say hello. " * 20)]
CONCURRENCY = (1, 32)
RETRY_AFTER_S = 20
FALLBACK_TAKES_S = 0.2


@asynccontextmanager
async def _provider(log: Path, script: dict[str, Any]) -> AsyncIterator[str]:
    """Run a loopback provider; gives the base URL for OpenAI clients."""
    written = log.with_suffix(".script.json")
    written.write_text(json.dumps(script))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROVIDER), "--script", str(written), "--log", str(log)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        await process.wait()


def _settings(primary: str, fallback: str) -> Settings:
    role = {"primary": "first", "fallback": "second"}
    return Settings.model_validate(
        {
            "endpoints": {
                "first": {"kind": "openai", "url": primary, "key": "sk-none"},
                "second": {"kind": "openai", "url": fallback, "key": "sk-none"},
            },
            "models": {
                name: {"endpoint": name, "name": "model", "price": {"input": 1, "output": 5}}
                for name in ("first", "second")
            },
            "roles": dict.fromkeys(Role, role),
        }
    )


@asynccontextmanager
async def _ours(settings: Settings, database: Database) -> AsyncIterator[Ask]:
    price = Prices(settings.endpoints, settings.models).cost
    models = Models(settings, database, SystemClock(), price=price)
    for endpoint in settings.endpoints:
        await models.client(endpoint).present()  # loads the libraries and connects
    context = CallContext(role=Role.WRITER, session_id="session", turn_id="turn")

    async def ask() -> object:
        return await models.bind(context).ainvoke(MESSAGES)

    try:
        yield ask
    finally:
        await models.close()


def _bare(url: str) -> Ask:
    chat = ChatOpenAI(model="model", base_url=url, api_key=SecretStr("sk-none"), max_retries=0)

    async def ask() -> object:
        return await chat.ainvoke(MESSAGES)

    return ask


def _litellm(primary: str, fallback: str) -> Ask | None:
    """Return a call through litellm.Router with its defaults; None where it is not installed."""
    if importlib.util.find_spec("litellm") is None:
        return None
    import litellm  # noqa: PLC0415 - optional

    router = litellm.Router(
        model_list=[
            {
                "model_name": name,
                "litellm_params": {"model": "openai/model", "api_base": url, "api_key": "sk-none"},
            }
            for name, url in (("first", primary), ("second", fallback))
        ],
        fallbacks=[{"first": ["second"]}],
    )
    messages = [
        {"role": "system", "content": MESSAGES[0].text},
        {"role": "user", "content": MESSAGES[1].text},
    ]

    async def ask() -> object:
        return await router.acompletion(model="first", messages=messages)

    return ask


async def _cpu_ms(ask: Ask, calls: int, concurrency: int) -> float:
    """Return milliseconds of CPU per call."""
    numbers = iter(range(calls))

    async def work() -> None:
        for _ in numbers:
            await ask()

    before = time.process_time()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return (time.process_time() - before) / calls * 1000


async def _seconds(ask: Ask) -> float:
    before = time.perf_counter()
    await ask()
    return time.perf_counter() - before


async def measure_cpu(calls: int, rounds: int) -> list[dict[str, Any]]:
    """Return one row for each way of calling: CPU ms per call, by concurrency."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = await stack.enter_async_context(_provider(folder / "log", {}))
        settings = _settings(url, url)
        kept = await open_database("sqlite", data_folder=folder, clock=SystemClock())
        stack.push_async_callback(kept.close)
        ways: dict[str, Ask] = {
            "ChatOpenAI": _bare(url),
            "noctule, SQLite": await stack.enter_async_context(_ours(settings, kept)),
        }
        if (litellm := _litellm(url, url)) is not None:
            ways["litellm.Router"] = litellm
        rows = []
        for concurrency in CONCURRENCY:
            best = dict.fromkeys(ways, float("inf"))
            for ask in ways.values():
                await _cpu_ms(ask, 2 * concurrency, concurrency)
            for _ in range(rounds):
                for name, ask in ways.items():
                    best[name] = min(best[name], await _cpu_ms(ask, calls, concurrency))
            rows += [
                {
                    "way": name,
                    "concurrency": concurrency,
                    "cpu_ms_per_call": took,
                    "over_bare_ms": took - best["ChatOpenAI"],
                }
                for name, took in best.items()
            ]
        return rows


async def measure_fallback(*, with_litellm: bool) -> list[dict[str, Any]]:
    """Return how long the first answer takes when the primary says Retry-After: 20."""
    refusal = {
        "status": 429,
        "headers": {"Retry-After": str(RETRY_AFTER_S)},
        "body": {"error": {"message": "Too fast.", "code": "rate_limit_exceeded"}},
    }
    answer = {"default": {"before_headers": FALLBACK_TAKES_S}}
    rows = []
    for way in ("noctule", "litellm.Router") if with_litellm else ("noctule",):
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            log = folder / "primary"
            primary = await stack.enter_async_context(_provider(log, {"default": refusal}))
            fallback = await stack.enter_async_context(_provider(folder / "fallback", answer))
            if way == "noctule":
                settings = _settings(primary, fallback)
                ours = _ours(settings, scratch_database())
                ask: Ask | None = await stack.enter_async_context(ours)
            else:
                ask = _litellm(primary, fallback)
            if ask is None:
                continue
            alone = _bare(fallback)
            await alone()
            own_s = await _seconds(alone)
            first_s = await _seconds(ask)
            for _ in range(4):
                if way == "noctule":
                    await ask()
            starts = [line for line in log.read_text().splitlines() if '"start"' in line]
            rows.append(
                {
                    "way": way,
                    "first_answer_s": first_s,
                    "over_fallback_s": first_s - own_s,
                    "requests_to_primary": len(starts),
                }
            )
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=200, help="calls in one round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the quickest counts")
    parser.add_argument(
        "--with-litellm-fallback", action="store_true", help="its fallback takes a minute"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    cpu = asyncio.run(measure_cpu(asked.calls, asked.rounds))
    fallback = asyncio.run(measure_fallback(with_litellm=asked.with_litellm_fallback))
    if asked.json:
        print(json.dumps({"cpu": cpu, "fallback": fallback}))
        return 0
    print("CPU of the calling process per call\n")
    print(f"{'way':20}{'at once':>8}{'ms':>9}{'over bare':>12}")
    for row in cpu:
        print(
            f"{row['way']:20}{row['concurrency']:>8}{row['cpu_ms_per_call']:>9.2f}"
            f"{row['over_bare_ms']:>12.2f}"
        )
    print(f"\nFirst answer after a primary's Retry-After: {RETRY_AFTER_S}\n")
    print(f"{'way':20}{'s':>8}{'over fallback':>16}{'requests to primary':>22}")
    for row in fallback:
        print(
            f"{row['way']:20}{row['first_answer_s']:>8.2f}{row['over_fallback_s']:>16.3f}"
            f"{row['requests_to_primary']:>22}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
