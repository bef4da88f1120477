"""Chaos in full size: a worker that is killed again and again, and one killed before each commit.

Forty sessions on one real ``noctule serve`` that gets SIGKILL at twenty random moments, with a
provider that refuses now and then; every turn must end with its reply, and only calls that were
in flight at a kill may be asked again. Then two turns that park and wake, with the worker killed
before each of their commits in turn. The tests run a share of both.

    python -m benchmarks.chaos [--sessions 40] [--kills 20] [--seeds 1] [--sweep] [--json]
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.acceptance.test_kills import EXPECTED, calls_of, check_point, sweep
from tests.support.chaos import Chaos
from tests.support.rig import CLOCK
from tests.support.workshop import read_log, running_workshop


async def random_kills(folder: Path, *, seed: int, sessions: int, kills: int) -> dict[str, Any]:
    """Return the figures of one run; raises AssertionError when something is lost."""
    begun = CLOCK.monotonic()
    # Slow answers and long lives: there must still be work to interrupt at the last kill.
    async with Chaos(folder, seed=seed, sessions=sessions, pace=1.5, most_life=4.0) as chaos:
        await chaos.submit_all()
        await chaos.kill_at_random(kills)
        await chaos.finish()
        figures = await chaos.check()
    return {"seed": seed, **asdict(figures), "seconds": round(CLOCK.monotonic() - begun, 1)}


def every_commit(folder: Path) -> dict[str, Any]:
    """Return the figures of the sweep; raises AssertionError when something is lost."""
    log, begun = folder / "requests.jsonl", CLOCK.monotonic()
    with running_workshop(log, pace=0.02, refuse_first="writer", retry_after="0.2") as url:
        (unharmed,) = sweep(folder / "whole", url, [0])
        # The last commits belong to the worker's own end and may come in another order.
        points = list(range(1, unharmed["commits"] - 2))
        outcomes = sweep(folder / "points", url, points)
    asked = read_log(log)
    repeated = 0
    for outcome in outcomes:
        calls = calls_of(asked, outcome["point"])
        check_point(outcome, calls)
        repeated += len(calls) > len(EXPECTED)
    seconds = round(CLOCK.monotonic() - begun, 1)
    return {"points": len(points), "with_a_call_in_flight": repeated, "seconds": seconds}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--sessions", type=int, default=40)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1], help="one run for each")
    parser.add_argument("--sweep", action="store_true", help="kill before each commit as well")
    parser.add_argument("--json", action="store_true", help="print one document")
    given = parser.parse_args(argv)
    document: dict[str, Any] = {"random": []}
    for seed in given.seeds:
        with tempfile.TemporaryDirectory(prefix="noctule-chaos-") as folder:
            figures = asyncio.run(
                random_kills(Path(folder), seed=seed, sessions=given.sessions, kills=given.kills)
            )
        document["random"].append(figures)
        if not given.json:
            print(", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)
    if given.sweep:
        with tempfile.TemporaryDirectory(prefix="noctule-sweep-") as folder:
            document["sweep"] = every_commit(Path(folder))
        if not given.json:
            print(", ".join(f"{name} {value}" for name, value in document["sweep"].items()))
    if given.json:
        print(json.dumps(document, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
