import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from noctule.core.base.roles import Role
from noctule.core.budgets.accounts import account_key
from noctule.core.budgets.budget_ledger import Charge, HoldPlaced, HoldRequest
from noctule.core.budgets.budget_scopes import BudgetScopes, BudgetSubject
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import ParkingKind
from noctule.core.sessions.sessions import SessionKind
from noctule.models.spend.budget_writer import BudgetWriter
from noctule.sessions.service.budget_changes import wake_raised
from noctule.sessions.service.service import Request
from tests.support.paid_stage import paid_stage, tally_of
from tests.support.stage import make_settings
from tests.support.theatre import open_theatre

FREE_ROUTING: dict[str, Any] = {"roles": {"orchestrator": {"primary": "third"}}}


def hourly(usd: str, **more):
    return {
        **FREE_ROUTING,
        "budgets": {"all": {"scope": "global", "usd": usd, "window": "1h", **more}},
    }


async def tally(theatre):
    async with theatre.runtime.records.database.read() as work:
        return tally_of(await work.budgets.tallies())


async def test_a_turn_that_runs_out_of_money_sleeps_until_the_window_turns(tmp_path):
    """The same state as after a 429: parked with evidence, woken at the turn, finished once."""
    async with open_theatre(tmp_path, paid_stage(**hourly("0.12"))) as theatre:
        first = await theatre.say("hello there")
        assert first.status is Status.DONE
        second = await theatre.say("hello again")
        assert second.status is Status.PARKED
        [parking] = await theatre.parkings(second.id)
        assert (parking.kind, parking.evidence) == (ParkingKind.BUDGET, "window")
        assert parking.wake_at == (await tally(theatre)).ends_at
        assert "budget all is used up" in second.error
        await theatre.clock.advance(1800)
        assert (await theatre.rest(second)).status is Status.PARKED
        await theatre.clock.advance(1801)
        assert (await theatre.rest(second)).status is Status.DONE
        assert len(theatre.stage.client.requests) == 2
        assert (await tally(theatre)).number == 2


async def test_a_plan_parks_on_a_budget_like_a_chat(tmp_path):
    """A loop that would go on for ever costs no more than its budget."""
    stage = paid_stage(**hourly("0.12"))
    async with open_theatre(tmp_path, stage) as theatre:
        await theatre.say("hello there")
        turn = await theatre.say("write a program", role="engineer")
        assert turn.status is Status.PARKED
        [parking] = await theatre.parkings(turn.id)
        assert parking.kind is ParkingKind.BUDGET
        await theatre.clock.advance(3601)
        assert (await theatre.rest(turn)).status is Status.DONE


async def test_forty_runs_under_a_budget_for_five_finish_over_the_windows(tmp_path):
    """Started at once they stop at it, sleep, and finish window by window, without a cent over."""
    stage = paid_stage(**hourly("0.30"))  # five answers of 0.05, and room for a bound of 0.10
    async with open_theatre(tmp_path, stage) as theatre:
        turns = []
        for _ in range(40):
            await theatre.clock.advance(0.001)
            turns.append(await theatre.service.submit(Request("hello there", kind=SessionKind.RUN)))
        finished = []
        for _ in range(60):
            due = [t for t in turns if (await theatre.turn(t.id)).status is not Status.DONE]
            if not due:
                break
            finished.append(40 - len(due))
            now = theatre.clock.now()
            wakes = [(await theatre.turn(t.id)).wake_at or now for t in due]
            await theatre.clock.advance(max(0.0, (min(wakes) - now).total_seconds()))
            for _ in range(30):  # the line wakes one after another
                await theatre.clock.advance(1)
                await asyncio.gather(*(theatre.rest(turn) for turn in due))
                here = await tally(theatre)
                assert here.settled_usd + here.held_usd <= here.usd
        assert [(await theatre.turn(t.id)).status for t in turns] == [Status.DONE] * 40
        assert len(theatre.stage.client.requests) == 40
        final = await tally(theatre)
        assert final.over_usd == 0
        assert final.number == 8
        assert finished == [0, 5, 10, 15, 20, 25, 30, 35]


async def test_a_raised_budget_wakes_its_sleepers_in_order(tmp_path):
    """After the configuration was changed they go on at the next start, the oldest first."""
    async with open_theatre(tmp_path, paid_stage(**hourly("0.12"))) as theatre:
        await theatre.say("hello there")
        sleeping = [await theatre.say("hello there", kind=SessionKind.RUN) for _ in range(3)]
        database, clock = theatre.runtime.records.database, theatre.clock
        same = BudgetScopes(theatre.stage.settings)
        assert await wake_raised(database, same, clock) == 0
        more = BudgetScopes(paid_stage(**hourly("0.13")).settings)
        assert await wake_raised(database, more, clock) == 3
        wakes = [(await theatre.turn(turn.id)).wake_at - clock.now() for turn in sleeping]
        assert wakes == sorted(wakes)
        assert wakes[0] == timedelta(0)
        assert wakes[-1] < timedelta(seconds=3)
        gone = BudgetScopes(make_settings())
        assert await wake_raised(database, gone, clock) == 3


async def test_a_run_stops_at_its_own_budget_and_goes_on_when_it_is_raised(tmp_path):
    """It waits for its person, since no window turns; raised, it wakes at once."""
    async with open_theatre(tmp_path, paid_stage(**FREE_ROUTING)) as theatre:
        turn = await theatre.say("hello there", kind=SessionKind.RUN, budget_usd=Decimal("0.12"))
        assert turn.status is Status.DONE
        turn = await theatre.say("more", session_id=turn.session_id)
        assert (turn.status, turn.wake_at) == (Status.WAITING, None)
        assert f"`noctule budgets raise {turn.session_id} USD`" in turn.error
        session = await theatre.service.set_budget(turn.session_id, Decimal("0.50"))
        assert session.budget_usd == Decimal("0.50")
        assert (await theatre.rest(turn)).status is Status.DONE


async def test_a_budget_too_small_for_one_call_waits_by_name_and_goes_on_when_raised(tmp_path):
    """A single role and a part of a plan alike: nothing is left out, nothing has failed."""
    plan = "@research find it @writer write it"
    async with open_theatre(tmp_path, paid_stage(**FREE_ROUTING)) as theatre:
        for words in ("hello there", plan):
            turn = await theatre.say(words, kind=SessionKind.RUN, budget_usd=Decimal("0.09"))
            assert (turn.status, turn.wake_at) == (Status.WAITING, None), turn
            assert "--budget" in turn.error
            assert f"`noctule budgets raise {turn.session_id} USD`" in turn.error
            assert theatre.stage.client.asked == []
            await theatre.service.set_budget(turn.session_id, Decimal("0.90"))
            assert (await theatre.rest(turn)).status is Status.DONE
            theatre.stage.client.requests.clear()


@pytest.mark.parametrize("window", ["1h", "day", {"kind": "rolling", "length": "1h"}])
async def test_every_kind_of_window_wakes_who_sleeps_on_it(tmp_path, window):
    """First use, the calendar, and money that comes back bit by bit."""
    changes = hourly("0.12")
    changes["budgets"]["all"]["window"] = window
    async with open_theatre(tmp_path, paid_stage(**changes)) as theatre:
        await theatre.say("hello there")
        turn = await theatre.say("hello again")
        assert turn.status is Status.PARKED
        wait = turn.wake_at - theatre.clock.now()
        await theatre.clock.advance(wait.total_seconds())
        assert (await theatre.rest(turn)).status is Status.DONE


async def test_a_late_bill_below_what_was_counted_wakes_the_sleepers_in_order(tmp_path):
    """A call that was given up for dead is billed after all: its money is left again."""
    async with open_theatre(tmp_path, paid_stage(**hourly("0.15"))) as theatre:
        database = theatre.runtime.records.database
        clock = theatre.clock
        budgets = BudgetScopes(theatre.stage.settings).of("first", BudgetSubject(Role.ENGINEER))
        budget_writer = BudgetWriter(database, clock)
        claim = HoldRequest("dead", Decimal("0.10"), budgets, clock.now() + timedelta(seconds=1))
        assert isinstance(await budget_writer.enter(claim), HoldPlaced)
        await clock.advance(2)
        sleepers = []
        for number in range(2):
            sleepers.append(await theatre.say(f"hello {number}"))
            await clock.advance(1)
        assert [turn.status for turn in sleepers] == [Status.PARKED] * 2
        now = clock.now()
        await budget_writer.enter(Charge("dead", Decimal("0.10"), budgets))
        assert (await theatre.turn(sleepers[0].id)).wake_at > now  # it cost what was counted
        assert (await tally(theatre)).settled_usd == Decimal("0.10")


async def test_a_late_bill_of_nothing_wakes_the_sleepers_in_order(tmp_path):
    """The first at once, as the probe; the others after it."""
    async with open_theatre(tmp_path, paid_stage(**hourly("0.15"))) as theatre:
        clock = theatre.clock
        budgets = BudgetScopes(theatre.stage.settings).of("first", BudgetSubject(Role.ENGINEER))
        budget_writer = BudgetWriter(theatre.runtime.records.database, clock)
        claim = HoldRequest("dead", Decimal("0.10"), budgets, clock.now() + timedelta(seconds=1))
        await budget_writer.enter(claim)
        await clock.advance(2)
        sleepers = []
        for number in range(2):
            sleepers.append(await theatre.say(f"hello {number}"))
            await clock.advance(1)
        assert [turn.status for turn in sleepers] == [Status.PARKED] * 2
        now = clock.now()
        await budget_writer.enter(Charge("dead", Decimal(0), budgets))
        first, second = [(await theatre.turn(turn.id)).wake_at for turn in sleepers]
        assert first == now
        assert second == now + timedelta(seconds=2.05)
        assert (await theatre.rest(sleepers[0])).status is Status.DONE


async def test_sleepers_on_an_account_that_nobody_asks_for_any_more_wake(tmp_path):
    """While it is asked, a start wakes nobody: its reset does, or a person."""
    async with open_theatre(tmp_path, paid_stage(**hourly("0.12"))) as theatre:
        await theatre.say("hello there")
        turn = await theatre.say("hello again")
        database = theatre.runtime.records.database
        async with database.work() as work:
            [parking] = await work.parkings.open_of_turn(turn.id)
            await work.parkings.close([parking.id], woken_at=theatre.clock.now())
            key = account_key("here").limit_key
            await work.parkings.add(replace(parking, id="another", key=key))
            await work.commit()
        account = {"url": "http://127.0.0.1:9/", "left": "left"}
        asked = make_settings(endpoints={"here": {"account": account}})
        assert await wake_raised(database, BudgetScopes(asked), theatre.clock) == 0
        assert await wake_raised(database, BudgetScopes(make_settings()), theatre.clock) == 1
        assert (await theatre.turn(turn.id)).wake_at == theatre.clock.now()
