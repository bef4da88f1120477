import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import tool_sweep

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

SEED = int(os.environ.get("NOCTULE_CHAOS_SEED", "1"))
POINTS = int(os.environ.get("NOCTULE_SWEEP_POINTS", "5"))
"""How many of the commits of the turn are tried."""


def test_a_worker_with_tools_that_is_killed_before_any_commit_does_nothing_twice(tmp_path):
    """Files are as they are meant to be and each line stands there once, whatever was cut off."""
    (unharmed,) = sweep(tmp_path / "whole", [0])
    check(unharmed)
    points = sorted(random.Random(SEED).sample(range(1, unharmed["commits"] - 3), POINTS))
    outcomes = sweep(tmp_path / "points", points)
    assert sum(outcome["killed"] for outcome in outcomes) > POINTS // 2
    for outcome in outcomes:
        check(outcome)


def sweep(folder: Path, points: list[int]) -> list[dict]:
    """Kill a worker before each of some commits; return what came of each."""
    words = [f"--folder={folder}", f"--points={','.join(map(str, points))}"]
    done = subprocess.run(
        [sys.executable, tool_sweep.__file__, *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Blocked deserialization" not in done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome["point"] for outcome in outcomes] == points
    return outcomes


def check(outcome: dict) -> None:
    """Compare what came of one point with what must."""
    assert outcome["finished"] == 0, outcome
    told = outcome["outcome"]
    assert (told["status"], told["reply"]) == ("done", "Done."), outcome
    assert told["ledger"] == ["four", "one", "three", "two"], outcome
    assert told["file"] == "2nd\n", outcome
    done = [effect for effect in told["effects"] if effect.endswith(" done")]
    # A call that was done again after a question has an entry for each time.
    assert {effect.split()[0] for effect in done} == {
        "add",
        "add_blindly",
        "announce",
        "edit_file",
        "write_file",
    }, outcome
