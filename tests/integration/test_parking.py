import asyncio
from datetime import timedelta
from typing import Any

import pytest

from noctule.core.errors import UsageError
from noctule.core.llm.events import EventKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import ParkingKind
from noctule.core.settings import OnLimit
from tests.support.stage import Act, Stage, refused, settle
from tests.support.theatre import open_theatre

ONLY_FIRST: dict[str, Any] = {"role": {"fallback": []}}


async def test_a_refused_turn_sleeps_until_the_reset_and_goes_on(tmp_path):
    """429 with Retry-After parks with evidence and words; at its time one request finishes it."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=600, message="slow down"), "Back.")
        turn = await theatre.say("hello there")
        assert turn.status is Status.PARKED
        parking = (await theatre.parkings(turn.id))[0]
        assert (parking.kind, parking.evidence, parking.lap) == (ParkingKind.LIMIT, "header", 1)
        assert "slow down" in parking.reason
        # 600 s and the margin of five per cent
        assert parking.wake_at - parking.parked_at == timedelta(seconds=630)
        assert turn.wake_at == parking.wake_at

        early = await theatre.rest(turn)
        assert early.status is Status.PARKED
        assert len(theatre.stage.client.requests) == 1

        await theatre.clock.advance(631)
        done = await theatre.rest(turn)
        assert (done.status, done.reply, done.wake_at) == (Status.DONE, "Back.", None)
        assert len(theatre.stage.client.requests) == 2
        assert await theatre.parkings(turn.id) == []
        kinds = [event.kind for event in await theatre.events(turn.session_id)]
        assert kinds.index(EventKind.PARKED) < kinds.index(EventKind.WOKEN)


async def test_nobody_parks_while_a_capable_model_is_free(tmp_path):
    """A limit goes to the fallback at once."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will("first", refused(429, retry_after=600))
        turn = await theatre.say("hello there")
        assert turn.status is Status.DONE
        assert [a.model for a in await theatre.attempts()] == ["first", "second"]


async def test_on_limit_park_keeps_the_model(tmp_path):
    """A run that must not change hands sleeps although its fallback is free."""
    async with open_theatre(tmp_path) as theatre:
        theatre.stage.will("first", refused(429, retry_after=600))
        turn = await theatre.say("hello there", on_limit=OnLimit.PARK)
        assert turn.status is Status.PARKED
        await theatre.clock.advance(700)
        await theatre.rest(turn)
        assert [a.model for a in await theatre.attempts()] == ["first", "first"]


async def test_finished_branches_of_a_fan_out_are_kept(tmp_path):
    """Of two branches one is refused: it sleeps, the other's answer is not asked for again."""
    stage = Stage(
        roles={
            "engineer": {"primary": "third", "fallback": []},
            "writer": {"primary": "first", "fallback": []},
        }
    )
    plan = (
        '{"assignments":[{"id":"a","role":"engineer","task":"l"},'
        '{"id":"b","role":"writer","task":"r"}]}'
    )
    async with open_theatre(tmp_path, stage) as theatre:
        theatre.stage.will(
            "first",
            '{"role":"engineer","then":"writer","complexity":"complex"}',
            plan,
            "Right",
            '{"verdict":"accept"}',
        )
        theatre.stage.will("third", refused(429, retry_after=60), "Left")
        turn = await theatre.say("Is the moon hollow")
        assert turn.status is Status.PARKED
        assert len(await theatre.parkings(turn.id)) == 1
        await theatre.clock.advance(120)
        done = await theatre.rest(turn)
        assert done.status is Status.DONE
        assert "Left" in done.reply
        assert "Right" in done.reply
        assert [r.model for r in theatre.stage.client.requests].count("third") == 2
        writers = [a for a in await theatre.attempts() if a.role == "writer"]
        assert len(writers) == 1


async def test_a_branch_that_wakes_first_does_not_wake_the_other(tmp_path):
    """Two branches with two resets go on one by one, each with one more request."""
    stage = Stage(
        roles={
            "engineer": {"primary": "third", "fallback": []},
            "writer": {"primary": "first", "fallback": []},
        }
    )
    async with open_theatre(tmp_path, stage) as theatre:
        theatre.stage.will(
            "first",
            '{"role":"engineer","then":"writer","complexity":"complex"}',
            '{"assignments":[{"id":"a","role":"engineer","task":"l"},'
            '{"id":"b","role":"writer","task":"r"}]}',
            refused(429, retry_after=3600),
            "Right",
            '{"verdict":"accept"}',
        )
        theatre.stage.will("third", refused(429, retry_after=60), "Left")
        turn = await theatre.say("Is the moon hollow")
        assert len(await theatre.parkings(turn.id)) == 2
        await theatre.clock.advance(120)
        still = await theatre.rest(turn)
        assert still.status is Status.PARKED
        assert [r.model for r in theatre.stage.client.requests].count("third") == 2
        assert [p.model for p in await theatre.parkings(turn.id)] == ["first"]
        await theatre.clock.advance(4000)
        done = await theatre.rest(turn)
        assert done.status is Status.DONE
        assert len([a for a in await theatre.attempts() if a.role == "engineer"]) == 2


async def test_a_used_up_account_without_a_reset_waits_for_its_person(tmp_path):
    """No known reset: waiting with a request to act, and the account is left alone meanwhile."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, code="insufficient_quota", message="no credit"))
        turn = await theatre.say("hello there")
        assert (turn.status, turn.wake_at) == (Status.WAITING, None)
        assert "no credit" in turn.error
        assert "resume" in turn.error
        other = await theatre.say("hello again")
        assert other.status is Status.WAITING
        assert len(theatre.stage.client.requests) == 1


async def test_a_reset_further_away_than_the_longest_wait_waits_for_its_person(tmp_path):
    """A wake in thirty hours is not slept for; the person is asked."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=30 * 3600))
        turn = await theatre.say("hello there")
        assert (turn.status, turn.wake_at) == (Status.WAITING, None)


async def test_three_windows_in_vain_are_enough(tmp_path):
    """A provider that says 429 for ever is asked once a window, three times, then nobody is."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.always("first", refused(429, retry_after=100))
        turn = await theatre.say("hello there")
        for _ in range(6):
            await theatre.clock.advance(200)
            turn = await theatre.rest(turn)
        assert turn.status is Status.WAITING
        assert "3 windows in a row" in turn.error
        assert len(theatre.stage.client.requests) == 3


async def test_resume_wakes_now_and_may_change_the_model(tmp_path):
    """A person who does not want to wait goes on at once with another model."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=600))
        turn = await theatre.say("hello there")
        await theatre.service.resume(turn.session_id, model="third")
        done = await theatre.rest(turn)
        assert done.status is Status.DONE
        assert [a.model for a in await theatre.attempts()] == ["first", "third"]


async def test_a_message_to_a_sleeping_session_comes_after_it(tmp_path):
    """The second message is stored and answered once the first is; nothing is dropped."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=60), "One.", "Two.")
        first = await theatre.say("hello there")
        second = await theatre.say("thanks", session_id=first.session_id)
        assert (second.status, len(theatre.stage.client.requests)) == (Status.QUEUED, 1)
        await theatre.clock.advance(90)
        await theatre.rest(first)
        assert [(await theatre.turn(t.id)).reply for t in (first, second)] == ["One.", "Two."]


async def test_a_cancelled_sleeper_leaves_the_session_usable(tmp_path):
    """After a cancel the next message is answered and the parked call is not repeated."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=60), "Fresh.")
        first = await theatre.say("hello there")
        await theatre.service.cancel(first.session_id)
        assert (await theatre.turn(first.id)).status is Status.CANCELLED
        await theatre.clock.advance(90)
        second = await theatre.say("thanks", session_id=first.session_id)
        assert (second.status, second.reply) == (Status.DONE, "Fresh.")
        assert len(theatre.stage.client.requests) == 2


async def test_cancel_reaches_a_call_in_flight(tmp_path):
    """A turn that hangs in a model ends at once, its attempt is recorded as cancelled."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", Act(text="Half", hangs=True))
        async with theatre.runtime.orders.watching():
            task = asyncio.create_task(theatre.say("hello there"))
            while not theatre.stage.client.open_streams:
                await settle(1)
            async with theatre.runtime.records.database.read() as work:
                session = (await work.sessions.list())[0]
            await theatre.service.cancel(session.id)
            turn = await task
        assert turn.status is Status.CANCELLED
        assert [a.outcome for a in await theatre.attempts()] == ["cancelled"]
        assert theatre.stage.client.open_streams == 0


async def test_park_by_hand_sleeps_until_somebody_resumes(tmp_path):
    """A running turn is parked without a wake time and goes on only by resume."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", Act(text="Half", hangs=True), "Whole.")
        async with theatre.runtime.orders.watching():
            task = asyncio.create_task(theatre.say("hello there"))
            while not theatre.stage.client.open_streams:
                await settle(1)
            async with theatre.runtime.records.database.read() as work:
                session = (await work.sessions.list())[0]
            await theatre.service.park(session.id)
            turn = await task
        assert (turn.status, turn.wake_at) == (Status.PARKED, None)
        await theatre.clock.advance(10 * 24 * 3600)
        assert (await theatre.rest(turn)).status is Status.PARKED
        await theatre.service.resume(turn.session_id)
        done = await theatre.rest(turn)
        assert (done.status, done.reply) == (Status.DONE, "Whole.")


async def test_a_clock_that_jumps_forward_wakes_once(tmp_path):
    """A machine that slept over the deadline wakes its turn at the next chance, once."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=60), "Back.")
        turn = await theatre.say("hello there")
        theatre.clock.jump(8 * 3600)
        await theatre.rest(turn)
        done = await theatre.rest(turn)
        assert done.status is Status.DONE
        assert len(theatre.stage.client.requests) == 2


async def test_a_model_that_is_gone_at_the_wake_makes_the_turn_wait(tmp_path):
    """A changed configuration is asked about, not crashed on."""
    stage = Stage(**ONLY_FIRST)
    stage.will("third", refused(429, retry_after=60))
    async with open_theatre(tmp_path, stage) as theatre:
        turn = await theatre.say("hello there", model="third")
        assert turn.status is Status.PARKED
    models = dict(stage.settings.models)
    del models["third"]
    changed = stage.settings.model_copy(update={"models": models})
    later = Stage(changed, clock=stage.clock, database=stage.database)
    async with open_theatre(tmp_path, later) as theatre:
        await theatre.clock.advance(120)
        waiting = await theatre.rest(turn)
        assert waiting.status is Status.WAITING
        assert "'third'" in waiting.error
        await theatre.service.resume(turn.session_id, model="first")
        assert (await theatre.rest(turn)).status is Status.DONE


async def test_too_many_unfinished_turns_are_refused_with_the_reason(tmp_path):
    """The bound on sleepers refuses the next request; it never drops one."""
    stage = Stage(parking={"max_unfinished": 1}, **ONLY_FIRST)
    stage.will("first", refused(429, retry_after=60))
    async with open_theatre(tmp_path, stage) as theatre:
        await theatre.say("hello there")
        with pytest.raises(UsageError, match="max_unfinished"):
            await theatre.say("hello again")


async def test_a_second_teller_of_the_same_limit_sends_nothing(tmp_path):
    """After one refusal was read, other sessions sleep on it without a request."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=60))
        turns = [await theatre.say(f"hello {number}") for number in range(5)]
        assert {turn.status for turn in turns} == {Status.PARKED}
        assert len(theatre.stage.client.requests) == 1


async def test_a_reset_costs_one_request_however_many_wait_for_it(tmp_path):
    """Of eight sleepers whose time has come one asks; when it is refused all move with it."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        gate = asyncio.Event()
        theatre.stage.will(
            "first",
            refused(429, retry_after=60),
            Act(text="", error=refused(429, retry_after=600), until=gate),
        )
        turns = [await theatre.say(f"hello {number}") for number in range(8)]
        await theatre.clock.advance(90)
        waking = [asyncio.create_task(theatre.rest(turn)) for turn in turns]
        while len(theatre.stage.client.requests) < 2:
            await settle(1)
        gate.set()
        while not all(task.done() for task in waking):
            await theatre.clock.advance(0.1)
        assert {(await task).status for task in waking} == {Status.PARKED}
        assert len(theatre.stage.client.requests) == 2


async def test_the_first_token_of_a_probe_lets_the_others_go_on(tmp_path):
    """Sleepers need not wait until the probe's answer is complete."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=60), Act(text="Slow", hangs=True))
        slow = await theatre.say("hello there")
        other = await theatre.say("hello again")
        await theatre.clock.advance(90)
        probing = asyncio.create_task(theatre.rest(slow))
        while len(theatre.stage.client.requests) < 2:
            await settle(1)
        done = await theatre.rest(other)
        assert done.status is Status.DONE
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)


async def test_sleepers_wake_one_after_another_and_move_together(tmp_path):
    """The first sleeper wakes at the reset, the others behind it; a new refusal moves them all."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=60), refused(429, retry_after=600))
        turns = [await theatre.say(f"hello {number}") for number in range(4)]
        times = [(await theatre.turn(turn.id)).wake_at for turn in turns]
        assert times == sorted(times)
        assert times[1] - times[0] > timedelta(seconds=2)

        await theatre.clock.advance(64)
        first = await theatre.rest(turns[0])
        moved = [(await theatre.turn(turn.id)).wake_at for turn in turns]
        assert moved[0] == first.wake_at
        assert all(time > first.wake_at for time in moved[1:])
        assert len(theatre.stage.client.requests) == 2


async def test_a_limit_cleared_by_hand_wakes_its_sleepers(tmp_path):
    """After `limits clear` everybody who slept on it goes on, one after another."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, code="insufficient_quota"))
        turns = [await theatre.say(f"hello {number}") for number in range(3)]
        assert {turn.status for turn in turns} == {Status.WAITING}
        assert await theatre.service.clear_limits() == 1
        await theatre.clock.advance(5)
        for turn in turns:
            assert (await theatre.rest(turn)).status is Status.DONE


async def test_resume_asks_the_refused_model_again(tmp_path):
    """A person who says go on is believed: the limit is forgotten and the model asked."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=6000), "Back.")
        turn = await theatre.say("hello there")
        await theatre.service.resume(turn.session_id)
        assert (await theatre.rest(turn)).reply == "Back."


async def test_stopping_a_queued_turn_leaves_the_sleeper_before_it(tmp_path):
    """Ctrl-C on a message that waits behind a sleeping one ends that message alone."""
    async with open_theatre(tmp_path, Stage(**ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=60))
        first = await theatre.say("hello there")
        second = await theatre.say("thanks", session_id=first.session_id)
        await theatre.service.stop(second.id)
        assert (await theatre.turn(second.id)).status is Status.CANCELLED
        assert (await theatre.turn(first.id)).status is Status.PARKED


async def test_a_turn_does_not_wake_after_its_deadline(tmp_path):
    """A reset behind the deadline is not slept for; the person is asked."""
    async with open_theatre(tmp_path, Stage(parking={"deadline": "1h"}, **ONLY_FIRST)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=2 * 3600))
        turn = await theatre.say("hello there")
        assert (turn.status, turn.wake_at) == (Status.WAITING, None)
        assert "deadline" in turn.error
