"""What a park and a wake cost by themselves, and what a reset costs with many asleep on it.

Turns are answered by an instant scripted model on a real SQLite data folder. Some are refused
first: they park, are resumed and answered; what that takes beyond a turn nobody refuses is the
park's own cost, and its model calls are counted. Then many sessions sleep on one limit: it is
refused once more at its reset, then answers; every refused request is counted.

    python -m benchmarks.sessions [--turns 60] [--rounds 5] [--sleepers 200] [--json]
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noctule.bootstrap import Runtime, open_records, open_runtime, open_worker
from noctule.config import Loaded
from noctule.core.clock import SystemClock
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.core.settings import Settings
from noctule.sessions.service.service import Request

CLOCK = SystemClock()
ROLES = ("chat", "orchestrator", "engineer", "research", "writer", "utility")
GOOD = {"reply": "Good evening to you.", "times": "forever"}


@dataclass(frozen=True)
class Costs:
    """Milliseconds and model calls of one turn."""

    ms: float
    answered: float
    refused: float


@asynccontextmanager
async def _runtime(home: Path, lines: list[dict[str, Any]]) -> AsyncIterator[Runtime]:
    loaded = _configure(home, lines)
    async with open_records(loaded) as records, open_runtime(records) as runtime:
        yield runtime


def _configure(home: Path, lines: list[dict[str, Any]]) -> Loaded:
    home.mkdir(parents=True)
    script = home / "script.yaml"
    script.write_text(json.dumps({"models": {"instant": lines}}))
    role = {"primary": "instant"}
    settings = Settings.model_validate(
        {
            "endpoints": {"play": {"kind": "scripted", "script": str(script)}},
            "models": {"instant": {"endpoint": "play", "name": "instant"}},
            "roles": dict.fromkeys(ROLES, role),
            "limits": {"queue_timeout": "0s"},
        }
    )
    return Loaded(settings, home / "config.yaml", home)


def _refusal(retry_after: float) -> dict[str, Any]:
    headers = {"Retry-After": f"{retry_after:g}"}
    return {"error": {"status": 429, "headers": headers, "body": "slow down"}}


async def _turns(home: Path, count: int, *, parked: bool) -> Costs:
    """Carry turns one after another, each refused first and resumed when it is to park."""
    lines = [_refusal(3600), {"reply": "Good evening to you."}] * count if parked else [GOOD]
    async with _runtime(home, lines) as runtime:
        service, advancer = runtime.records.service, runtime.advancer
        begun = CLOCK.monotonic()
        for _ in range(count):
            turn = await service.submit(Request("hello"))
            rest = (await advancer.advance(turn.id)).turn
            if parked:
                assert rest.status is Status.PARKED, rest
                await service.resume(turn.session_id)
                rest = (await advancer.advance(turn.id)).turn
            assert rest.status is Status.DONE, rest
        ms = 1000 * (CLOCK.monotonic() - begun) / count
        answered, refused = await _calls(runtime)
    return Costs(ms, answered / count, refused / count)


async def _calls(runtime: Runtime) -> tuple[int, int]:
    """Return how many model calls were answered and how many refused."""
    async with runtime.records.database.read() as work:
        outcomes = [attempt.outcome for attempt in await work.attempts.list()]
    return outcomes.count(Outcome.SUCCESS), outcomes.count(Outcome.RATE_LIMITED)


async def _own_costs(home: Path, turns: int, rounds: int) -> dict[str, float]:
    plain, parked = [], []
    for number in range(rounds):  # both take turns: a busy moment meets both alike
        plain.append(await _turns(home / f"plain-{number}", turns, parked=False))
        parked.append(await _turns(home / f"parked-{number}", turns, parked=True))
    best, best_parked = min(plain, key=_ms), min(parked, key=_ms)
    return {
        "turn_ms": best.ms,
        "turn_with_park_ms": best_parked.ms,
        "park_and_resume_ms": best_parked.ms - best.ms,
        "answered_calls": best.answered,
        "answered_calls_with_park": best_parked.answered,
        "refused_calls_with_park": best_parked.refused,
    }


async def _herd(home: Path, sleepers: int) -> dict[str, float]:
    """Let many sleep on one limit; count what its resets cost."""
    lines = [_refusal(15), _refusal(3), GOOD]
    async with _runtime(home, lines) as runtime, open_worker(runtime):
        service = runtime.records.service
        turns = [await service.submit(Request("hello"))]
        await _until(runtime, turns, Status.PARKED)
        turns += [await service.submit(Request("hello")) for _ in range(sleepers - 1)]
        await _until(runtime, turns, Status.PARKED)
        assert await _calls(runtime) == (0, 1)
        await _until(runtime, turns, Status.DONE)
        answered, refused = await _calls(runtime)
    assert answered == sleepers, answered
    return {"sleepers": sleepers, "resets": 2, "refused_per_reset": refused / 2}


async def _until(runtime: Runtime, turns: Sequence[Turn], status: Status) -> None:
    async with asyncio.timeout(120):
        while True:
            async with runtime.records.database.read() as work:
                now = [(await work.turns.get(turn.id)).status for turn in turns]
            if all(one is status for one in now):
                return
            await CLOCK.sleep(0.05)


def _ms(costs: Costs) -> float:
    return costs.ms


async def measure(home: Path, *, turns: int, rounds: int, sleepers: int) -> dict[str, float]:
    """Return all figures; the folder is empty."""
    figures = await _own_costs(home, turns, rounds)
    figures |= await _herd(home / "herd", sleepers)
    return {name: round(value, 3) for name, value in figures.items()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sessions", description=__doc__)
    parser.add_argument("--turns", type=int, default=60, help="in one round of each kind")
    parser.add_argument("--rounds", type=int, default=5, help="the quickest one counts")
    parser.add_argument("--sleepers", type=int, default=200, help="sessions on one limit")
    parser.add_argument("--json", action="store_true", help="print one document")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="noctule-sessions-") as folder:
        figures = asyncio.run(
            measure(Path(folder), turns=given.turns, rounds=given.rounds, sleepers=given.sleepers)
        )
    if given.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:26} {value:>10}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
