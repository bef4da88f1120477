from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from noctule.core.budgets.plan_ends import Nearness, PlanEnd, plan_ends
from noctule.core.errors import NoModelError
from noctule.core.llm.events import EventKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.settings import EndpointSettings
from noctule.core.settings.until import moment_of
from noctule.doctor.finding import Level
from noctule.doctor.machine import plans
from noctule.sessions.workers.plan_end_notices import EndsWatch
from tests.support.paid_stage import paid_stage
from tests.support.stage import Stage, make_settings
from tests.support.stored_records import a_session, a_turn

START = datetime(2026, 1, 1, tzinfo=UTC)  # of the manual clock


def test_a_date_counts_to_its_end_and_a_moment_to_its_second() -> None:
    """In the zone of the configuration, whatever YAML made of what was written."""
    wrong = []
    for written, timezone, expected in (
        ("2026-12-31", "UTC", "2027-01-01T00:00+00:00"),
        ("2026-12-31", "Europe/Berlin", "2026-12-31T23:00+00:00"),
        (date(2026, 12, 31), "Asia/Shanghai", "2026-12-31T16:00+00:00"),
        ("2026-12-31T18:00", "Europe/Berlin", "2026-12-31T17:00+00:00"),
        ("2026-12-31 18:00:30", "UTC", "2026-12-31T18:00:30+00:00"),
        ("2026-12-31T18:00+05:30", "UTC", "2026-12-31T12:30+00:00"),
        (datetime(2026, 12, 31, 18, tzinfo=UTC), "Asia/Tokyo", "2026-12-31T18:00+00:00"),
        ("2028-02-28", "UTC", "2028-02-29T00:00+00:00"),
    ):
        own = EndpointSettings.model_validate({"kind": "scripted", "until": written})
        assert own.until is not None
        moment = moment_of(own.until, timezone)
        if moment != datetime.fromisoformat(expected):
            wrong.append((written, timezone, moment))
    assert not wrong
    assert moment_of("2026-12-31", None).tzinfo is UTC
    for word in ("soon", "", "31.12.2026", "2026-13-01", "2026-02-30", True):
        with pytest.raises(ValidationError):
            EndpointSettings.model_validate({"kind": "scripted", "until": word})


async def test_after_its_end_an_endpoint_is_not_asked() -> None:
    """A fallback elsewhere answers; without one a person is needed, who is told why."""
    stage = Stage(timezone="UTC", endpoints={"here": {"until": "2026-01-01T12:00"}})
    assert (await stage.ask()).attempt.model == "first"
    await stage.clock.advance(12 * 3600)
    reply = await stage.ask()
    assert reply.attempt.model == "second"
    assert "its endpoint ended on 2026-01-01 12:00 UTC" in reply.attempt.skipped[0].reason
    alone = Stage(
        timezone="UTC",
        endpoints={"here": {"until": "2025-12-31"}, "cloud": {"until": "2025-12-31"}},
    )
    with pytest.raises(NoModelError, match="ended on 2026-01-01 00:00 UTC"):
        await alone.ask()
    assert alone.client.asked == []


async def test_after_its_end_a_budget_pays_for_nothing() -> None:
    """What is left of a trial's money is not spent elsewhere: the call needs a person."""
    ended = {"scope": "global", "usd": "1.00", "window": "1h", "until": "2025-12-30"}
    stage = paid_stage(timezone="UTC", budgets={"trial": ended})
    with pytest.raises(NoModelError, match="budget trial ended on 2025-12-31 00:00 UTC"):
        await stage.ask()
    assert stage.client.asked == []
    async with stage.database.read() as work:
        assert await work.budgets.held() == []


async def test_sleepers_are_told_a_week_before_and_on_the_last_day_each_once() -> None:
    """Those at work are left alone; every worker and restart finds that it was told."""
    stage = Stage(
        timezone="UTC",
        endpoints={"here": {"until": "2026-01-31"}},
        budgets={"trial": {"scope": "global", "usd": 1, "window": "1h", "until": "2026-06-30"}},
    )
    said: list[str] = []
    ends = plan_ends(stage.settings)
    async with stage.database.work() as work:
        for number, status in enumerate((Status.PARKED, Status.WAITING, Status.RUNNING)):
            await work.sessions.add(a_session(f"s{number}"))
            await work.turns.add(a_turn(f"t{number}", session_id=f"s{number}", status=status))
        await work.commit()
    for _ in range(35):
        for _ in range(2):
            watch = EndsWatch(stage.database, ends, UTC, stage.clock, said.append)
            await watch.look()
            await watch.look()
        await stage.clock.advance(86_400)
    told = {}
    async with stage.database.read() as work:
        for number in range(3):
            events = await work.events.of_turn(f"t{number}", [EventKind.NOTICE])
            told[number] = [str(event.data["ends"]).split()[-1] for event in events]
    assert told == {0: ["week", "day", "over"], 1: ["week", "day", "over"], 2: []}
    assert "Endpoint here ends on 2026-02-01 00:00; after that nothing is asked there." in said[0]
    assert "endpoints.here.until" in said[0]


def test_the_doctor_says_what_ends() -> None:
    """Fine while it is far, advice in the last week, a warning once it is over."""
    settings = make_settings(
        timezone="UTC",
        endpoints={"here": {"until": "2026-01-31"}},
        role={"budget": {"usd": 1, "window": "1h", "until": "2026-01-31"}},
    )
    levels = []
    for days in (0, 24, 30.5, 31, 400):
        found = list(plans(settings, START + timedelta(days=days), UTC))
        assert len({finding.level for finding in found}) == 1
        levels.append(found[0].level)
    assert levels == [Level.OK, Level.ADVICE, Level.ADVICE, Level.WARNING, Level.WARNING]
    assert {finding.sentence.partition(" end")[0] for finding in found} > {
        "Endpoint here",
        "The budget of chat",
    }


def test_an_end_is_near_from_seven_days_before() -> None:
    """The moment itself is over."""
    end = PlanEnd("endpoints.x", START)
    near = [end.nearness(START - timedelta(days=days)) for days in (7.01, 7, 1.01, 1, 0.01, 0, -9)]
    assert near == [
        None,
        Nearness.WEEK,
        Nearness.WEEK,
        Nearness.DAY,
        Nearness.DAY,
        Nearness.OVER,
        Nearness.OVER,
    ]
