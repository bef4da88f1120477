from dataclasses import replace
from decimal import Decimal

import pytest

from noctule.core.llm.attempts import Usage
from noctule.core.provider_errors.outcomes import Outcome
from tests.support.shell import SILENT, Shell
from tests.support.small_config import CONFIG
from tests.support.stored_records import a_session, a_turn, an_attempt, later

pytestmark = pytest.mark.process


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path, CONFIG)


async def test_an_empty_home_says_how_to_begin(shell):
    """Without attempts people get a sentence, programs an empty list."""
    said, listed = await shell("attempts"), await shell("attempts", "--json")
    assert (said.code, said.out) == (0, "No attempts yet. `noctule chat` makes the first one.\n")
    assert (listed.code, listed.json, listed.err) == (0, [], "")


async def test_attempts_come_newest_first_with_everything(shell):
    """The JSON has the contract's keys, times in the configured zone and unknown costs as null."""
    async with shell.records() as work:
        await work.sessions.add(a_session())
        await work.turns.add(a_turn())
        await work.attempts.add(an_attempt("a1"))
        unknown = an_attempt("a2", cost_usd=None, cost_source=None, started_at=later(5))
        await work.attempts.add(replace(unknown, usage=Usage()))
    newest, oldest = (await shell("attempts", "--json")).json
    assert (newest["id"], newest["cost_usd"], newest["input_tokens"]) == ("a2", None, None)
    expected = {
        "role": "writer",
        "model": "haiku",
        "outcome": "success",
        "wait_s": 0.25,
        "first_token_s": 0.5,
        "duration_s": 1.75,
        "input_tokens": 100,
        "output_tokens": 20,
        "cached_tokens": 80,
        "cost_usd": 0.000123456,
        "cost_source": "provider",
        "fallback_from": "opus",
        "skipped": [{"model": "coder", "reason": "busy 2 s"}],
        "started_at": "2026-11-22T13:00:00.123456+01:00",
    }
    assert {key: oldest[key] for key in expected} == expected


async def test_json_has_all_rows_and_the_table_fifty(shell):
    """The table ends after 50 rows and says so; JSON has every row; --limit bounds both."""
    async with shell.records() as work:
        await work.sessions.add(a_session())
        await work.turns.add(a_turn())
        for number in range(60):
            await work.attempts.add(an_attempt(f"a{number:02}", started_at=later(number)))
    table = await shell("attempts")
    assert len(table.out.splitlines()) == 51
    assert "the newest 50" in table.err
    assert len((await shell("attempts", "--json")).json) == 60
    limited = (await shell("attempts", "--json", "--limit", "3")).json
    assert [row["id"] for row in limited] == ["a59", "a58", "a57"]
    assert len((await shell("attempts", "--limit", "55")).out.splitlines()) == 56


async def test_one_session_may_be_asked_for_by_the_beginning_of_its_id(shell):
    """--session takes a unique beginning; an unknown one is a usage error in one sentence."""
    async with shell.records() as work:
        for name in ("aaa-1", "bbb-2"):
            await work.sessions.add(a_session(name))
            await work.turns.add(a_turn(f"t-{name}", name))
            attempt = an_attempt(f"of-{name}", session_id=name, turn_id=f"t-{name}")
            await work.attempts.add(attempt)
    rows = (await shell("attempts", "--session", "bbb", "--json")).json
    assert [row["session"] for row in rows] == ["bbb-2"]
    wrong = await shell("attempts", "--session", "ccc", "--json")
    assert (wrong.code, list(wrong.json)) == (2, ["error"])


async def test_the_table_shows_what_went_wrong_on_one_line(shell):
    """A provider's words with control characters and line ends stay one printable line."""
    async with shell.records() as work:
        await work.sessions.add(a_session())
        await work.turns.add(a_turn())
        words = "slow\ndown\x1b[31m [bold]now[/bold]"
        failed = an_attempt(outcome=Outcome.RATE_LIMITED, message=words, cost_usd=Decimal(0))
        await work.attempts.add(failed)
    table = await shell("attempts")
    (line,) = table.out.splitlines()[1:]
    assert "rate limited" in line
    assert "instead of opus; coder busy 2 s; slow down [bold]now[/bold]" in line


async def test_reading_the_ledger_loads_no_graph(shell):
    """Neither LangGraph nor LangChain nor a client is imported."""
    assert not await shell.loaded("attempts", "--json") & SILENT
