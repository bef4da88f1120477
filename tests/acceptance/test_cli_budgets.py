from datetime import timedelta
from decimal import Decimal

import pytest

from noctule.config import load
from noctule.core.base.roles import Role
from noctule.core.budgets.budget_ledger import Charge, HoldRequest
from noctule.core.budgets.budget_scopes import RUN_BUDGET, BudgetScopes, BudgetSubject
from noctule.core.budgets.budgets import BudgetKey
from noctule.core.clock import SystemClock
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import ParkingKind
from tests.support.shell import SILENT, Shell
from tests.support.small_config import CONFIG
from tests.support.stored_records import a_parking, a_session, a_turn

pytestmark = pytest.mark.process

BUDGETS = """\
budgets:
  all: {scope: global, usd: 5, window: day, warn_at: 0.8}
  each: {scope: session, usd: 1, window: 5h, on_exhausted: park}
"""


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path, CONFIG + BUDGETS)


async def test_without_a_budget_it_says_how_to_set_one(tmp_path):
    """A sentence for people, an empty list for programs."""
    shell = Shell(tmp_path, CONFIG)
    said, listed = await shell("budgets"), await shell("budgets", "--json")
    assert said.code == 0
    assert "No budgets yet" in said.out
    assert listed.json == []


async def test_what_is_spent_held_left_and_who_sleeps_on_it(shell, tmp_path):
    """One line for each budget, and each session's own part once it was used."""
    unused = (await shell("budgets", "--json")).json
    assert [(line["name"], line["of"], line["left_usd"]) for line in unused] == [
        ("all", None, 5),
        ("each", None, 1),
    ]
    clock = SystemClock()
    coverage = BudgetScopes(load(tmp_path / "config.yaml", environ=shell.env).settings)
    budgets = coverage.of("large", BudgetSubject(Role.WRITER, "s1", "local", Decimal(2)))
    assert [budget.key.name for budget in budgets] == [RUN_BUDGET, "all", "each"]
    async with shell.records() as work:
        await work.sessions.add(a_session(budget_usd=Decimal(2)))
        await work.turns.add(a_turn())
        key = BudgetKey("each", "s1").limit_key
        await work.parkings.add(a_parking(kind=ParkingKind.BUDGET, key=key))
        books = await work.budgets.open_books(budgets, ["a"], clock.now())
        until = clock.now() + timedelta(minutes=6)
        books.place(HoldRequest("a", Decimal("0.5"), budgets, until))
        books.settle(Charge("a", Decimal("0.25"), budgets))
        books.place(HoldRequest("b", Decimal("0.5"), budgets, until))
        await work.budgets.keep(books)
    run, every, each = (await shell("budgets", "--json")).json
    for line, left in ((run, 1.25), (every, 4.25), (each, 0.25)):
        assert (line["spent_usd"], line["held_usd"], line["left_usd"]) == (0.25, 0.5, left)
    assert (run["of"], run["window"], run["resets_at"]) == ("s1", None, None)
    assert (each["of"], each["window"], each["asleep"]) == ("s1", "first_use", ["s1"])
    assert every["resets_at"].endswith(("+01:00", "+02:00", "+00:00"))
    table = await shell("budgets")
    assert "$4.25" in table.out
    assert "never" in table.out


async def test_a_run_takes_a_budget_and_can_be_given_more(shell):
    """``run --budget`` bounds the session; ``budgets raise`` gives it more."""
    done = await shell("run", "hello there", "--detach", "--json", "--budget", "0.50")
    assert done.code == 0, done.err
    assert "Up to $0.50 now (--budget" in done.err
    session = done.json["session"]
    lines = (await shell("budgets", "--json")).json
    assert [(line["name"], line["usd"]) for line in lines if line["of"] == session] == [
        (RUN_BUDGET, 0.5)
    ]
    raised = await shell("budgets", "raise", session, "2", "--json")
    assert raised.json == {"session": session, "budget_usd": 2.0}
    wrong = await shell("run", "x", "--budget", "much")
    assert wrong.code == 2
    assert "not a valid USD amount" in wrong.err


async def test_a_budget_over_a_model_without_a_price_is_refused_at_start(tmp_path):
    """With the path and the fix; nothing is asked, and nothing counts as free."""
    config = CONFIG.replace("    price: {input: 3, output: 15}\n", "") + BUDGETS
    done = await Shell(tmp_path, config)("chat", "hello there")
    assert done.code == 2
    assert "models.large.price" in done.err
    assert "price: {input:" in done.err


async def test_listing_budgets_loads_no_model_library(shell):
    """It answers at once."""
    assert not await shell.loaded("budgets", "--json") & SILENT


async def test_what_counts_for_calls_that_died_is_taken_back_with_a_reason(shell, tmp_path):
    """The budget says so, forgives it once, keeps what was billed, and has it on record."""
    clock = SystemClock()
    coverage = BudgetScopes(load(tmp_path / "config.yaml", environ=shell.env).settings)
    budgets = coverage.of("large", BudgetSubject(Role.WRITER, "s1", "local"))
    past = clock.now() - timedelta(minutes=1)
    async with shell.records() as work:
        await work.sessions.add(a_session())
        await work.turns.add(a_turn())
        key = BudgetKey("all").limit_key
        await work.parkings.add(a_parking(kind=ParkingKind.BUDGET, key=key))
        books = await work.budgets.open_books(budgets, ["a"], clock.now())
        books.place(HoldRequest("a", Decimal("0.5"), budgets, clock.now()))
        books.settle(Charge("a", Decimal("0.25"), budgets))
        books.place(HoldRequest("b", Decimal("0.5"), budgets, past))
        await work.budgets.keep(books)
        books = await work.budgets.open_books(budgets, [], clock.now())
        for budget in budgets:
            books.open(budget)
        await work.budgets.keep(books)
        await work.commit()
    said = await shell("budgets")
    assert "$0.50 of what is spent is for calls whose process died" in said.err
    assert (await shell("budgets", "forgive")).code == 2
    assert (await shell("budgets", "forgive", "nosuch", "--why", "x")).code == 2
    told = await shell("budgets", "forgive", "all", "--why", "The machine was\nkilled.")
    assert told.code == 0, told
    assert "Budget all: $0.50 for 1 call no longer counts." in told.out
    assert "resume while `noctule serve` runs: 1" in told.out
    again = (await shell("budgets", "forgive", "all", "--why", "again", "--json")).json
    assert again == {"corrections": [], "woken": 0}
    rest = (await shell("budgets", "forgive", "--why", "the rest", "--json")).json
    assert [(one["budget"], one["usd"], one["calls"]) for one in rest["corrections"]] == [
        ("each", 0.5, 1)
    ]
    lines = {line["name"]: line for line in (await shell("budgets", "--json")).json}
    assert [(one["usd"], one["why"]) for one in lines["all"]["corrections"]] == [
        (0.5, "The machine was killed.")
    ]
    assert (lines["all"]["spent_usd"], lines["all"]["recovered_usd"]) == (0.25, 0)
    assert "(The machine was killed.)" in (await shell("budgets")).out


async def test_budgets_of_sessions_that_are_over_are_listed_when_asked_for(shell, tmp_path):
    """A run that is done leaves the list; `--all` shows its budget all the same."""
    clock = SystemClock()
    coverage = BudgetScopes(load(tmp_path / "config.yaml", environ=shell.env).settings)
    budgets = coverage.of("large", BudgetSubject(Role.WRITER, "s1", "local", Decimal(2)))
    async with shell.records() as work:
        await work.sessions.add(a_session(budget_usd=Decimal(2)))
        await work.turns.add(a_turn(status=Status.DONE, ended_at=clock.now()))
        books = await work.budgets.open_books(budgets, [], clock.now())
        books.place(HoldRequest("a", Decimal("0.5"), budgets, clock.now() + timedelta(minutes=6)))
        await work.budgets.keep(books)
        await work.commit()
    listed = (await shell("budgets", "--json")).json
    assert [(line["name"], line["of"]) for line in listed] == [("all", None), ("each", None)]
    every = (await shell("budgets", "--all", "--json")).json
    assert [(line["name"], line["of"]) for line in every] == [
        (RUN_BUDGET, "s1"),
        ("all", None),
        ("each", "s1"),
    ]
