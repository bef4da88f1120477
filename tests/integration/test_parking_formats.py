from datetime import datetime, timedelta
from typing import Any

import pytest

from noctule.core.clock import ManualClock
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.parse import margin_seconds
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.sessions.lifecycle import Status
from noctule.models.clients.scripted import ScriptedRefusal
from tests.support.refusal_cases import DISTINCT, NOW, RefusalCase
from tests.support.stage import Act, Stage, refused
from tests.support.theatre import open_theatre

LONGEST_S = 26 * 3600
ALONE: dict[str, Any] = {"role": {"fallback": []}, "limits": {"queue_timeout": "0s"}}

REFUSALS = [
    case for case in DISTINCT if Outcome(case.expect["outcome"]).limits and case.window is None
]


def stage_at(moment: datetime) -> Stage:
    return Stage(clock=ManualClock(moment), **ALONE)


def refused_until(moment: str) -> ScriptedRefusal:
    return ScriptedRefusal(ProviderResponse(429, {"retry-after": moment}, "not now"))


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
async def test_each_format_of_a_refusal_parks_until_what_it_says(tmp_path, case: RefusalCase):
    """A known reset is slept for, with its evidence; where none is known a person is asked."""
    stage = stage_at(NOW)
    stage.will("first", Act(text="", error=ScriptedRefusal(case.answer)), "Back.")
    async with open_theatre(tmp_path, stage) as theatre:
        turn = await theatre.say("hello there")
        wait = case.expect.get("wait")
        if case.expect.get("needs_person") or wait is None or wait > LONGEST_S:
            assert (turn.status, turn.wake_at) == (Status.WAITING, None), turn
            await theatre.clock.advance(48 * 3600)
            assert (await theatre.rest(turn)).status is Status.WAITING
            await theatre.service.resume(turn.session_id)
        else:
            assert turn.status is Status.PARKED, turn
            (parking,) = await theatre.parkings(turn.id)
            assert parking.evidence == case.expect["evidence"]
            due = NOW + timedelta(seconds=wait + margin_seconds(wait))
            assert abs((parking.wake_at - due).total_seconds()) < 0.01, (parking.wake_at, due)
            await theatre.clock.advance(max(0.0, wait) + margin_seconds(wait) + 1)
        assert len(stage.client.requests) == 1
        done = await theatre.rest(turn)
        assert (done.status, done.reply) == (Status.DONE, "Back.")
        assert len(stage.client.requests) == 2


@pytest.mark.parametrize("retry_after", ["Sat, 22 Nov 2025 12:00:00 GMT", "-5", "0"])
async def test_a_reset_in_the_past_is_tried_soon_and_not_at_once_for_ever(tmp_path, retry_after):
    """The turn sleeps a moment, then longer each time: a lap costs one request, a day few."""
    stage = stage_at(NOW)
    stage.always("first", refused_until(retry_after))
    async with open_theatre(tmp_path, stage) as theatre:
        turn = await theatre.say("hello there")
        for lap in range(1, 10):
            if turn.status is not Status.PARKED:
                break
            assert turn.wake_at > theatre.clock.now()
            assert len(stage.client.requests) == lap
            await theatre.clock.advance((turn.wake_at - theatre.clock.now()).total_seconds() + 0.1)
            turn = await theatre.rest(turn)
        assert turn.status is Status.PARKED
        assert turn.wake_at - theatre.clock.now() >= timedelta(minutes=25)
        assert len(stage.client.requests) <= 10


async def test_a_reset_in_a_year_asks_the_person(tmp_path):
    """Nobody sleeps for a year without being asked."""
    stage = stage_at(NOW)
    stage.will("first", refused_until("Mon, 22 Nov 2027 12:00:00 GMT"))
    async with open_theatre(tmp_path, stage) as theatre:
        turn = await theatre.say("hello there")
        assert (turn.status, turn.wake_at) == (Status.WAITING, None)
        assert "resume" in turn.error


async def test_a_reset_in_ten_years_is_not_believed(tmp_path):
    """It is a mistake of the provider's clock: the turn sleeps for as long as one guesses."""
    stage = stage_at(NOW)
    stage.will("first", refused_until("Sat, 22 Nov 2036 12:00:00 GMT"), "Back.")
    async with open_theatre(tmp_path, stage) as theatre:
        turn = await theatre.say("hello there")
        assert turn.status is Status.PARKED
        assert [parking.evidence for parking in await theatre.parkings(turn.id)] == ["guess"]
        assert turn.wake_at <= NOW + timedelta(minutes=2)
        await theatre.clock.advance(120)
        assert (await theatre.rest(turn)).status is Status.DONE


async def test_a_reset_that_changes_moves_the_sleepers_with_it(tmp_path):
    """A probe that is told another time moves everybody asleep on the limit, for one request."""
    stage = stage_at(NOW)
    stage.will("first", refused(429, retry_after=60), refused(429, retry_after=3600))
    async with open_theatre(tmp_path, stage) as theatre:
        turns = [await theatre.say(f"hello {number}") for number in range(5)]
        await theatre.clock.advance(70)
        await theatre.rest(turns[0])
        wakes = [(await theatre.turn(turn.id)).wake_at for turn in turns]
        assert min(wakes) >= theatre.clock.now() + timedelta(seconds=3600)
        assert len(stage.client.requests) == 2
        await theatre.clock.advance(3600 * 1.1)
        for turn in turns:
            assert (await theatre.rest(turn)).status is Status.DONE


async def test_a_refusal_at_every_third_call_costs_no_more_than_itself(tmp_path):
    """Nine turns meet four refusals: each is slept off, every turn ends, nothing is asked twice."""
    stage = stage_at(NOW)
    plays: list[Any] = ["Yes.", "Yes.", refused(429, retry_after=5)]
    stage.will("first", *(plays * 5))
    async with open_theatre(tmp_path, stage) as theatre:
        for number in range(9):
            turn = await theatre.say(f"hello {number}")
            while turn.status is Status.PARKED:
                await theatre.clock.advance(8)
                turn = await theatre.rest(turn)
            assert turn.status is Status.DONE
        assert len(stage.client.requests) == 13
