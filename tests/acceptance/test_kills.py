import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import crash_sweep
from tests.support.chaos import Chaos
from tests.support.workshop import Asked, read_log, reply_to, running_workshop

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

SEED = int(os.environ.get("NOCTULE_CHAOS_SEED", "1"))
KILLS = int(os.environ.get("NOCTULE_CHAOS_KILLS", "3"))
POINTS = int(os.environ.get("NOCTULE_SWEEP_POINTS", "5"))
"""How many of the commits of two turns are tried; `benchmarks/chaos.py` tries all of them."""

EXPECTED = [("a", "research"), ("a", "writer"), ("a", "writer"), ("b", "chat")]
"""The calls of a session of the sweep; the first one for the writer is refused, and parks."""


async def test_forty_sessions_survive_a_worker_that_is_killed_at_random(tmp_path):
    """Every turn ends with its reply; only calls that were in flight at a kill are asked again."""
    async with Chaos(tmp_path, seed=SEED, sessions=40) as chaos:
        await chaos.submit_all()
        await chaos.kill_at_random(KILLS)
        await chaos.finish()
        figures = await chaos.check()
    assert figures.kills == KILLS


def test_a_kill_between_any_two_commits_loses_nothing_and_repeats_one_call_at_most(tmp_path):
    """Steps, parks, wakes and successors are stored so that the next worker goes on from each."""
    log = tmp_path / "requests.jsonl"
    with running_workshop(log, pace=0.02, refuse_first="writer", retry_after="0.2") as url:
        (unharmed,) = sweep(tmp_path / "whole", url, [0])
        points = sorted(random.Random(SEED).sample(range(1, unharmed["commits"] - 3), POINTS))
        outcomes = sweep(tmp_path / "points", url, points)
    asked = read_log(log)
    assert calls_of(asked, 0) == EXPECTED
    assert sum(outcome["killed"] for outcome in outcomes) > POINTS // 2
    for outcome in outcomes:
        check_point(outcome, calls_of(asked, outcome["point"]))


def sweep(folder: Path, url: str, points: list[int]) -> list[dict]:
    """Kill a worker before each of some commits; return what came of each."""
    words = [f"--folder={folder}", f"--url={url}", f"--points={','.join(map(str, points))}"]
    done = subprocess.run(
        [sys.executable, crash_sweep.__file__, *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome["point"] for outcome in outcomes] == points
    return outcomes


def calls_of(asked: list[Asked], point: int) -> list[tuple[str, str]]:
    """Return the calls of one point's session: the letter of the turn, and the step."""
    name = f"t{point:03d}"
    return [(one.step[0][-1], one.step[1]) for one in asked if one.step[0][:4] == name]


def check_point(outcome: dict, calls: list[tuple[str, str]]) -> None:
    """Compare what came of one point of the sweep with what must."""
    name = f"t{outcome['point']:03d}"
    # How many commits a turn takes depends on what is gathered into one: the last may not come.
    assert outcome["killed"] or outcome["commits"] < outcome["point"], outcome
    assert outcome["finished"] == 0, outcome
    wanted = [
        {"status": "done", "reply": reply_to(f"{name}{letter}", kind)}
        for letter, kind in zip("ab", crash_sweep.KINDS, strict=True)
    ]
    assert outcome["turns"] == wanted
    repeated = [index for index in range(1, len(calls)) if calls[index] == calls[index - 1]]
    # Once of itself, the call that parked; once more when one was in flight at the kill.
    assert len(calls) - len(EXPECTED) in {0, 1}, (name, calls)
    assert list(dict.fromkeys(calls)) == list(dict.fromkeys(EXPECTED)), (name, calls)
    assert 1 <= len(repeated) <= 2, (name, calls)
