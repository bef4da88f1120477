import csv
import re
from dataclasses import replace
from decimal import Decimal
from io import StringIO

import pytest

from noctule.core.base.roles import Role
from noctule.core.clock import SystemClock
from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.llm.token_parts import TokenParts
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Rating
from tests.support.shell import SILENT, Shell
from tests.support.small_config import CONFIG
from tests.support.stored_records import a_session, a_turn, an_attempt

pytestmark = pytest.mark.process


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path, CONFIG)


async def spend(shell):
    """Put in a local answer, a paid one, and one whose cost nobody knows."""
    now = SystemClock().now()
    usage, parts = Usage(1000, 100), TokenParts(500, 300, 0, 200)
    paid = an_attempt(
        "a1",
        model="large",
        endpoint="far",
        tier="frontier",
        usage=usage,
        parts=parts,
        cost_usd=Decimal("0.0045"),
        started_at=now,
    )
    local = replace(
        paid,
        id="a2",
        role="chat",
        model="small",
        endpoint="near",
        tier="routine",
        local=True,
        cost_usd=Decimal(0),
        cost_source=CostSource.LOCAL,
    )
    again = TokenParts(0, 0, 1000, 0)
    unknown = replace(paid, id="a3", role="research", model="gone", cost_usd=None, parts=again)
    async with shell.records() as work:
        await work.sessions.add(a_session("s1", title="Bats"))
        await work.turns.add(a_turn("t1", status=Status.DONE, reply="x"))
        route = Route((Role.WRITER, Role.RESEARCH), Complexity.SIMPLE, DecidedBy.RULE, "a plan")
        await work.routes.put("t1", route)
        for attempt in (paid, local, unknown):
            await work.attempts.add(attempt)


async def test_an_empty_home_has_cost_nothing(shell):
    """People get a sentence, programs a whole document with a total of 0."""
    said, report = await shell("costs"), await shell("costs", "--json")
    assert (said.code, "Nothing spent yet" in said.out) == (0, True)
    assert (report.json["total_usd"], report.json["by_role"], report.json["unknown"]) == (0, {}, 0)


async def test_spending_by_every_measure(shell):
    """Each measure adds up to the total; an unknown cost is counted apart and is null."""
    await spend(shell)
    report = (await shell("costs", "--json")).json
    assert (report["total_usd"], report["unknown"], report["calls"]) == (0.0045, 1, 3)
    for measure in ("role", "route", "model", "tier", "day", "session", "owner"):
        groups = report[f"by_{measure}"].values()
        assert sum(group["cost_usd"] or 0 for group in groups) == 0.0045
        assert sum(group["unknown"] for group in groups) == 1
    assert report["by_model"]["gone"]["cost_usd"] is None
    assert report["by_model"]["small"]["cost_usd"] == 0
    assert list(report["by_route"]) == ["writer + research"]
    assert report["by_session"]["s1"]["title"] == "Bats"
    assert list(report["by_owner"]) == ["local"]
    assert report["shares"]["local"]["share_of_calls"] == pytest.approx(1 / 3)
    assert report["shares"]["frontier"]["share_of_calls"] == pytest.approx(2 / 3)


async def test_tokens_are_split_and_accepted_answers_priced(shell):
    """What was sent, by what it was, and what an accepted answer costs by role and model."""
    await spend(shell)
    async with shell.records() as work:
        rated = a_turn("t2", status=Status.DONE, reply="x", verdict=Rating.BAD)
        await work.turns.add(rated)
        before = an_attempt(
            "a4", turn_id="t2", model="large", cost_usd=Decimal("0.0045"), parts=None
        )
        await work.attempts.add(before)
    report = (await shell("costs", "--json")).json
    assert report["input_parts"] == {
        "prompt_tokens": 1000,
        "text_tokens": 600,
        "resent_tokens": 1000,
        "tool_tokens": 400,
        "unsplit_tokens": 100,
    }
    assert report["by_model"]["gone"]["input_parts"]["resent_tokens"] == 1000
    unknown = {"answers": 1, "refused": 1, "cost_usd": None, "usd_each": None}
    assert report["accepted"] == unknown
    large = {"answers": 1, "refused": 1, "cost_usd": 0.009, "usd_each": 0.009}
    assert report["by_model"]["large"]["accepted"] == large
    assert report["by_role"]["chat"]["accepted"]["usd_each"] is None
    text = (await shell("costs", "--csv")).out
    rows = {(row["measure"], row["name"]): row for row in csv.DictReader(StringIO(text))}
    row = rows["model", "large"]
    assert (row["prompt_tokens"], row["accepted"], row["usd_per_accepted"]) == (
        "500",
        "1",
        "0.0090",
    )
    page = (await shell("costs")).out
    assert "Kept: 1 answer, 1 rejected; $? each" in page
    assert "100 not known" in page
    assert re.search(r"\nlarge .* \$0\.0090? +1 +\$0\.0090?\n", page)


async def test_the_baseline_is_a_comparison(shell):
    """It is the dearest model or the one named, from the same tokens, and called counterfactual."""
    await spend(shell)
    dearest = (await shell("costs", "--json")).json["baseline"]
    assert dearest["model"] == "large"
    assert dearest["cost_usd"] == pytest.approx(3 * 0.0045)
    assert dearest["counterfactual"] is True
    assert dearest["saved_usd"] is None  # what was spent on one of the answers is not known
    named = (await shell("costs", "--json", "--baseline", "small")).json["baseline"]
    assert (named["model"], named["cost_usd"]) == ("small", 0)
    wrong = await shell("costs", "--baseline", "nobody")
    assert (wrong.code, "Use one of: large, small" in wrong.err) == (2, True)


async def test_the_page_says_what_is_unknown_and_what_is_no_bill(shell):
    """People read the unknown beside the known, and that nobody paid the comparison."""
    await spend(shell)
    page = (await shell("costs", "--monthly")).out
    assert "together $6.00; all of it on large would have been $0.01" in page
    assert "Kept: 1 answer; $? each, including retries" in page
    assert "Tokens: 3000 sent: 1000 prompt and tool schemas (33%), 1000 re-sent context" in page
    assert "400 tool output (13%), 600 new text (20%); 300 of answers" in page
    assert "Total: $0.0045 + 1 unknown for 3 answers" in page
    assert "All of it on large: $0.01" in page
    assert "(hypothetical: same tokens at that model's price)" in page
    assert "$? (1 unknown)" in page
    assert "near: $6.00 a month, 1 answer, $6.00 each" in page
    assert "it pays from 1334 answers a month" in page


async def test_what_is_paid_by_the_month_is_spread(shell):
    """--monthly has fixed costs, the price of each answer and when it pays."""
    await spend(shell)
    month = (await shell("costs", "--monthly", "--json")).json["monthly"]
    assert (month["fixed_usd"], month["calls_usd"]) == (6, 0.0045)
    near = month["endpoints"]["near"]
    assert (near["calls"], near["usd_per_call"], near["break_even_calls"]) == (1, 6, 1334)
    assert "monthly" not in (await shell("costs", "--json")).json


async def test_csv_has_a_row_for_each_group(shell):
    """Rows name their measure; unknown costs are empty cells."""
    await spend(shell)
    text = (await shell("costs", "--csv")).out
    rows = {(row["measure"], row["name"]): row for row in csv.DictReader(StringIO(text))}
    assert rows["model", "gone"]["cost_usd"] == ""
    assert rows["model", "gone"]["unknown"] == "1"
    assert Decimal(rows["total", ""]["cost_usd"]) == Decimal("0.0045")
    assert rows["baseline", "large"]["saved_usd"] == ""
    month = (await shell("costs", "--csv", "--monthly")).out
    rows = {(row["measure"], row["name"]): row for row in csv.DictReader(StringIO(month))}
    near = rows["monthly", "near"]
    assert (near["usd_per_call"], near["baseline_usd"]) == ("6", "0.0045")
    assert near["break_even_calls"] == "1334"
    assert rows["month", "fixed"]["cost_usd"] == "6"
    assert rows["month", "total"]["baseline_usd"] == "0.0135"
    assert list(rows["owner", "local"].values())[2:4] == ["3", "3"]
    both = await shell("costs", "--csv", "--json")
    assert (both.code, list(both.json)) == (2, ["error"])


async def test_adding_up_loads_no_graph(shell):
    """Neither LangGraph nor LangChain nor a client is imported."""
    assert not await shell.loaded("costs", "--json") & SILENT
