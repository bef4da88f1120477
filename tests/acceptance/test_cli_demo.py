import asyncio
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from noctule.core.clock import SystemClock
from storage.open import open_database
from tests.support.command_line import CommandLine
from tests.support.provider import FakeModel, Provider
from tests.support.terminal import terminal

pytestmark = pytest.mark.process

NO_OLLAMA = "127.0.0.1:9"


@pytest.fixture
def noctule(tmp_path: Path) -> CommandLine:
    noctule = CommandLine(tmp_path)
    noctule.env["OLLAMA_HOST"] = NO_OLLAMA
    return noctule


def play(noctule: CommandLine) -> None:
    """Configure a model that can be told from the tiny one."""
    noctule.play(
        {
            "smol": [
                {"match": "Good evening", "reply": "A greeting of the stage."},
                {"match": "prime", "reply": "```python\nprime = 7\n```"},
                {
                    "system": "You are a writer",
                    "reply": "A paragraph on bats.",
                    "per_token": "50ms",
                },
                {"match": "bats", "reply": "A fact on bats.", "per_token": "50ms"},
                {"match": ".", "reply": "Said so."},
            ]
        }
    )


@pytest.mark.embedded
@pytest.mark.timeout(900)
async def test_the_demo_plays_on_the_embedded_model(noctule):
    """Without anything else the demo routes, answers, sleeps twice, wakes and shows the ledger."""
    # Two minutes of computing, on a machine that may be busy.
    done = await asyncio.to_thread(noctule.run, "demo", seconds=840)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout
    assert "135M parameters" in shown
    assert "noctule init" in shown
    for route in ("→ chat (rule", "→ engineer (rule", "→ research, writer (rule"):
        assert route in shown
    assert "plan: " in shown
    slept, woke = (
        shown.index("Rate limit reached for this model. Sleeps"),
        shown.index("woke after"),
    )
    assert slept < woke
    unpaid = shown.index("budget tiny (priced) is used up")
    assert woke < unpaid < shown.index("woke after", unpaid)
    ends = re.findall(
        r"^Parked \S+ for .*, woken \S+; 0 repeated; cost \$(.*)\.$", shown, re.MULTILINE
    )
    assert (len(ends), ends[0]) == (2, "0.00")
    lines = [line.split() for line in shown.splitlines()]
    rows = [words for words in lines if words[1:2] == ["answer"]]
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("chat", "smol", "success"),
        ("engineer", "smol", "success"),
        ("research", "smol", "success"),
        ("writer", "smol", "success"),
        ("writer", "guarded", "rate"),
        ("writer", "guarded", "success"),
        ("research", "priced", "success"),
        ("writer", "priced", "success"),
    ]
    assert re.search(rf"8 requests +\${ends[1]}\n", shown)
    (home,) = noctule.home.glob("demo-*")
    await check_money(home)
    assert str(home) in shown
    assert (home / "noctule.db").is_file()


async def check_money(home: Path) -> None:
    """Each priced step cost its counted tokens times the price, and no window paid for two."""
    database = await open_database("sqlite", data_folder=home, clock=SystemClock())
    try:
        async with database.read() as work:
            attempts = await work.attempts.list()
            (tally,) = await work.budgets.tallies()
            held = await work.budgets.held()
    finally:
        await database.close()
    second, first = [attempt for attempt in attempts if attempt.model == "priced"]
    for step in (first, second):
        sent, received = step.usage.input_tokens, step.usage.output_tokens
        assert sent is not None
        assert received is not None
        nanos = sent * 100 + received * 10_000
        assert step.cost_usd == Decimal(nanos) / 10**9
        assert step.parts is not None
        assert step.parts.total == sent
    assert tally.settled_usd == second.cost_usd
    assert (tally.held_usd, tally.over_usd, held) == (0, 0, [])
    ended = first.started_at + timedelta(seconds=first.duration_s)
    assert second.started_at - ended >= timedelta(seconds=6)


def test_on_a_terminal_the_demo_stays_open(noctule):
    """After its acts a person may type into the same session, and is told how to go on later."""
    play(noctule)
    with terminal(
        ["demo", "--config", "config.yaml"], env=noctule.env, cwd=noctule.folder
    ) as shell:
        shell.wait_for("A greeting of the stage.")
        shell.wait_for("prime = 7")
        shell.wait_for("A fact on bats.")
        shell.wait_for("A paragraph on bats.")
        shell.wait_for("4 requests")
        shell.wait_for("Now it is your turn.")
        shell.wait_for(">")
        shell.type("and now?\r")
        shell.wait_for("Said so.")
        shell.wait_for(">")
        shell.type("/quit\r")
        shell.wait_for("noctule chat --config")
        assert shell.ended() == 0
    (home,) = noctule.home.glob("demo-*")
    assert f"NOCTULE_HOME={home}" in shell.shown.replace("\n", "")


def test_without_a_data_folder_it_takes_a_temporary_one(noctule):
    """Where NOCTULE_HOME is not set the demo's data goes into the temporary folder."""
    play(noctule)
    (noctule.folder / "tmp").mkdir()
    env = {"NOCTULE_HOME": "", "TMPDIR": str(noctule.folder / "tmp")}
    done = noctule.run("demo", "--config", "config.yaml", **env)
    assert done.returncode == 0
    (home,) = (noctule.folder / "tmp").glob("noctule-demo-*")
    assert f"Its data is in {home}." in done.stdout
    assert home.stat().st_mode & 0o077 == 0


def test_a_demo_that_fails_says_so_by_its_exit_code(noctule):
    """When an act is not answered the demo shows why and does not end with 0."""
    noctule.play({"smol": [{"match": ".", "error": {"status": 401, "body": "no"}}]})
    done = noctule.run("demo", "--config", "config.yaml")
    assert done.returncode == 1
    assert "key" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


async def test_an_ollama_that_answers_is_offered(noctule):
    """On a terminal the demo asks whether to play on a local Ollama's models, and does."""
    models = [FakeModel("qwen3.5:latest")]
    async with Provider(models=models) as provider:
        env = {**noctule.env, "OLLAMA_HOST": f"127.0.0.1:{provider.port}"}

        def talk() -> str:
            with terminal(["demo"], env=env, cwd=noctule.folder) as shell:
                shell.wait_for("with qwen3.5:latest.")
                shell.wait_for("[y/N]")
                shell.type("y\r")
                shell.wait_for(" requests  ", seconds=60)
                shell.wait_for("Now it is your turn.")
                shell.wait_for(">")
                shell.type("\x04")
                assert shell.ended() == 0
                return shell.shown

        shown = await asyncio.to_thread(talk)
    assert "135M" not in shown
    assert {request.model for request in provider.requests} == {"qwen3.5:latest"}
