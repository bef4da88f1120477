"""A simulated week of outages per host: requests in vain, and from recovery to answer how long.

A whole Noctule on a manual clock, without network: hosts refuse for hours in the manner of real
ones, sessions are said around it, and a worker wakes them. Nothing is timed but the simulated week.

    python -m benchmarks.outages [--sessions 20] [--json]
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.outage_week import HOSTS, Host, Week, live_through

HEADS = (
    "host",
    "fallback",
    "answered",
    "ask a person",
    "requests in vain",
    "most in an hour",
    "longest gap",
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outages", description=__doc__)
    parser.add_argument("--sessions", type=int, default=20, help="of each host")
    parser.add_argument("--json", action="store_true", help="one document")
    given = parser.parse_args(argv)
    rows = [
        _row(name, asyncio.run(_week(host, given.sessions, stands_in)), stands_in)
        for stands_in in (False, True)
        for name, host in HOSTS.items()
    ]
    if given.json:
        print(json.dumps([dict(zip(HEADS, row, strict=True)) for row in rows], indent=2))
        return 0
    for line in (HEADS, ["---"] * len(HEADS), *rows):
        print("| " + " | ".join(map(str, line)) + " |")
    return 0


async def _week(host: Host, sessions: int, stands_in: bool) -> Week:  # noqa: FBT001 - a column
    with tempfile.TemporaryDirectory() as folder:
        return await live_through(host, Path(folder), sessions=sessions, stands_in=stands_in)


def _row(name: str, week: Week, stands_in: bool) -> list[object]:  # noqa: FBT001 - a column
    answered = week.sessions - week.asked_person - len(week.unanswered)
    gap = f"{week.longest_gap.total_seconds() / 60:.0f} min" if week.gaps else "-"
    return [
        name,
        "yes" if stands_in else "none",
        f"{answered} of {week.sessions}",
        week.asked_person,
        len(week.refused_at),
        week.most_refused_in_an_hour,
        gap,
    ]


if __name__ == "__main__":
    sys.exit(main())
