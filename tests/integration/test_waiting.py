"""Waiting without a known end: refusals nobody timed, and endpoints that are down."""

from datetime import timedelta
from typing import Any

from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from tests.support.stage import Act, Stage, refused
from tests.support.theatre import Theatre, open_theatre

ALONE: dict[str, Any] = {"role": {"fallback": []}}
RUN = {"kind": SessionKind.RUN}


async def sleep_on(theatre: Theatre, *turns, until_s: float) -> None:
    """Let time pass and carry each turn whenever it is due."""
    end = theatre.clock.now() + timedelta(seconds=until_s)
    while theatre.clock.now() < end:
        now = [await theatre.turn(turn.id) for turn in turns]
        due = min((turn.wake_at for turn in now if turn.wake_at), default=end)
        ahead = (min(due, end) - theatre.clock.now()).total_seconds()
        await theatre.clock.advance(max(ahead, 0.0) + 0.01)
        for turn in now:
            if turn.wake_at is not None and turn.wake_at <= theatre.clock.now():
                await theatre.rest(turn)


async def test_guessed_refusals_are_left_and_asked_for_a_whole_night(tmp_path):
    """A 429 without a time for five hours, then an answer: the turn slept and was answered."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        theatre.stage.always("first", refused(429))
        turn = await theatre.say("hello there", **RUN)
        await sleep_on(theatre, turn, until_s=5 * 3600)
        assert (await theatre.turn(turn.id)).status is Status.PARKED
        asked = len(theatre.stage.client.requests)
        assert 10 <= asked <= 20
        theatre.stage.always("first", "Morning.")
        await sleep_on(theatre, turn, until_s=1860)
        done = await theatre.turn(turn.id)
        assert (done.status, done.reply) == (Status.DONE, "Morning.")
        assert len(theatre.stage.client.requests) == asked + 1


async def test_nobody_gives_up_by_refusals_of_others(tmp_path):
    """A session born late, and one that never asked, sleep on when the prober has tried often."""
    kinds = (refused(429), refused(503, message="overloaded"), refused(429, retry_after=90))
    for number, refusal in enumerate(kinds):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_theatre(folder, Stage(**ALONE)) as theatre:
            theatre.stage.always("first", refusal)
            first = await theatre.say("hello there", **RUN)
            second = await theatre.say("hello too", **RUN)
            await sleep_on(theatre, first, until_s=400)
            late = await theatre.say("hello late", **RUN)
            await sleep_on(theatre, first, second, late, until_s=35)
            for turn in (second, late):
                assert (await theatre.turn(turn.id)).status is Status.PARKED, str(refusal)


async def test_after_the_longest_wait_in_vain_the_person_is_asked(tmp_path):
    """Measured from the first sleep: later ones do not begin it anew."""
    stage = Stage(parking={"longest_wait": "3h"}, **ALONE)
    async with open_theatre(tmp_path, stage) as theatre:
        theatre.stage.always("first", refused(429))
        turn = await theatre.say("hello there", **RUN)
        await sleep_on(theatre, turn, until_s=3 * 3600 - 60)
        assert (await theatre.turn(turn.id)).status is Status.PARKED
        await sleep_on(theatre, turn, until_s=120)
        waiting = await theatre.turn(turn.id)
        assert (waiting.status, waiting.wake_at) == (Status.WAITING, None)
        assert "Asked again and again for 3 h" in waiting.error


async def test_a_dead_endpoint_is_asked_for_as_long_as_the_longest_wait_allows(tmp_path):
    """A plain connection failure is slept on in the same way, and ends with the person."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        theatre.stage.always("first", OSError("connection refused"))
        turn = await theatre.say("hello there", **RUN)
        await sleep_on(theatre, turn, until_s=25 * 3600)
        assert (await theatre.turn(turn.id)).status is Status.PARKED
        await sleep_on(theatre, turn, until_s=2 * 3600)
        assert (await theatre.turn(turn.id)).status is Status.WAITING
        assert len(theatre.stage.client.requests) < 65


async def test_an_answer_in_between_begins_the_wait_anew(tmp_path):
    """Who got an answer and is refused again has waited for nothing yet."""
    stage = Stage(parking={"longest_wait": "1h"}, **ALONE)
    async with open_theatre(tmp_path, stage) as theatre:
        theatre.stage.always("first", refused(429))
        turn = await theatre.say("hello there", **RUN)
        await sleep_on(theatre, turn, until_s=3000)
        theatre.stage.always("first", "Here.")
        await theatre.say("somebody else")
        theatre.stage.always("first", refused(429))
        await sleep_on(theatre, turn, until_s=3000)
        assert (await theatre.turn(turn.id)).status is Status.PARKED


async def test_a_short_pace_that_is_refused_again_is_no_window(tmp_path):
    """`Retry-After: 30` for an hour paces the asking, in the end ever slower; it asks no person."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        theatre.stage.always("first", refused(503, retry_after=30, message="overloaded"))
        turn = await theatre.say("hello there", **RUN)
        assert (turn.wake_at - theatre.clock.now()).total_seconds() == 31.5
        await sleep_on(theatre, turn, until_s=3600)
        assert (await theatre.turn(turn.id)).status is Status.PARKED
        assert len(theatre.stage.client.requests) <= 10


async def test_a_success_wakes_those_who_sleep_on_a_guess_in_their_order(tmp_path):
    """Sixty sleep on a guess; one answer lets all go, twenty a second, background after chats."""
    stage = Stage(limits={"queue_timeout": "0s"}, **ALONE)
    async with open_theatre(tmp_path, stage) as theatre:
        theatre.stage.always("first", refused(429))
        turns = [await theatre.say(f"hello {n}", **RUN) for n in range(60)]
        assert len(theatre.stage.client.requests) == 1
        lined_up = [(await theatre.turn(turn.id)).wake_at for turn in turns]
        assert lined_up == sorted(lined_up)
        theatre.stage.always("first", "Here.")
        await theatre.clock.advance(31)
        now = theatre.clock.now()
        assert (await theatre.say("somebody typing")).status is Status.DONE
        woken = [(await theatre.turn(turn.id)).wake_at for turn in turns]
        assert woken == sorted(woken)
        assert timedelta(0) <= woken[0] - now < timedelta(seconds=1)
        assert all(woken[1:][n] - woken[n] >= timedelta(milliseconds=50) for n in range(59))
        assert woken[-1] - now < timedelta(seconds=6)


async def test_a_success_does_not_wake_those_whose_reset_is_known(tmp_path):
    """A model whose reset was told is left alone although its endpoint answers for another."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        theatre.stage.will("first", refused(429, retry_after=3600))
        sleeper = await theatre.say("hello there", **RUN)
        assert (await theatre.say("hello", model="third")).status is Status.DONE
        assert (await theatre.turn(sleeper.id)).wake_at == sleeper.wake_at


async def test_a_new_chat_is_asked_for_although_a_circuit_is_open(tmp_path):
    """An endpoint comes back while everybody sleeps: whoever types is answered at once."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        theatre.stage.always("first", OSError("connection refused"))
        sleeper = await theatre.say("hello there", **RUN)
        await sleep_on(theatre, sleeper, until_s=900)
        assert (await theatre.turn(sleeper.id)).status is Status.PARKED
        theatre.stage.always("first", "Here.")
        new = await theatre.say("somebody typing")
        assert (new.status, new.reply) == (Status.DONE, "Here.")
        woken = await theatre.turn(sleeper.id)
        assert woken.wake_at - theatre.clock.now() < timedelta(seconds=1)


async def test_an_endpoint_that_answers_for_one_model_is_tried_for_the_others(tmp_path):
    """Sleepers on an outage of another model of the same endpoint wake; one request tries it."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        for model in ("first", "third"):
            theatre.stage.always(model, OSError("connection refused"))
        sleepers = [await theatre.say(f"hello {n}", model="third", **RUN) for n in range(3)]
        await sleep_on(theatre, *sleepers, until_s=1200)
        asked = theatre.stage.client.asked.count("third")
        theatre.stage.always("first", "Here.")
        assert (await theatre.say("somebody typing")).status is Status.DONE
        await sleep_on(theatre, *sleepers, until_s=10)
        assert theatre.stage.client.asked.count("third") == asked + 1
        for n in range(40):
            await theatre.say(f"typing {n}")
            await sleep_on(theatre, *sleepers, until_s=60)
        assert theatre.stage.client.asked.count("third") <= asked + 1 + 8
        theatre.stage.always("third", "Here too.")
        await sleep_on(theatre, *sleepers, until_s=1860)
        assert {(await theatre.turn(one.id)).status for one in sleepers} == {Status.DONE}


async def test_somebody_who_types_at_a_guessed_refusal_asks_every_half_minute_at_most(tmp_path):
    """A new chat asks although others sleep on a guess, bounded, and moves nobody further away."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        theatre.stage.always("first", refused(429))
        sleeper = await theatre.say("hello there", **RUN)
        await sleep_on(theatre, sleeper, until_s=1500)
        before = await theatre.turn(sleeper.id)
        asked = len(theatre.stage.client.requests)
        for n in range(20):
            assert (await theatre.say(f"typing {n}")).status is Status.PARKED
            await theatre.clock.advance(3)
        assert 1 <= len(theatre.stage.client.requests) - asked <= 2
        assert (await theatre.turn(sleeper.id)).wake_at == before.wake_at


async def test_limits_cleared_by_hand_close_a_circuit_of_the_running_process(tmp_path):
    """What is left alone stands in the table, and goes with it; its sleepers wake."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        theatre.stage.always("first", OSError("connection refused"))
        turns = [await theatre.say(f"hello {n}", **RUN) for n in range(3)]
        async with theatre.runtime.records.database.read() as work:
            (limit,) = await work.limits.list()
        assert (limit.is_outage, limit.key.model) == (True, "first")
        assert limit.in_force(theatre.clock.now())
        theatre.stage.always("first", "Here.")
        assert await theatre.service.clear_limits("here") == 1
        await theatre.clock.advance(5)
        for turn in turns:
            assert (await theatre.rest(turn)).status is Status.DONE


CANNOT_AFFORD = (
    "This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, "
    "but can only afford {}. To increase, visit the settings and upgrade to a paid account"
)
ON_ONE_KEY: dict[str, Any] = {"models": {"second": {"endpoint": "here"}}}


def cannot_afford(tokens: int):
    return refused(402, code="402", message=CANNOT_AFFORD.format(tokens))


async def test_what_one_request_cannot_afford_closes_no_key():
    """The same model is asked for as much as the credit pays for; a free one on the key answers."""
    stage = Stage(**ON_ONE_KEY)
    stage.will("first", cannot_afford(2133), "Short.")
    reply = await stage.ask()
    assert (reply.attempt.model, str(reply.message.content)) == ("first", "Short.")
    assert [request.max_tokens for request in stage.client.requests[1:]] == [2133]

    for tokens, asked in ((2133, ["first", "first", "second"]), (90, ["first", "second"])):
        stage = Stage(**ON_ONE_KEY)
        stage.always("first", cannot_afford(tokens))
        assert (await stage.ask()).attempt.model == "second"
        assert stage.client.asked == asked
        assert (await stage.ask()).attempt.model == "second"  # and again: nothing was closed

    stage = Stage(role={"max_tokens": 1500, "fallback": ["second"]}, **ON_ONE_KEY)
    stage.always("first", cannot_afford(1600))
    await stage.ask()
    assert stage.client.asked == ["first", "second"]  # it asked for no more than that


async def test_credit_that_pays_for_no_answer_waits_for_the_person(tmp_path):
    """Nobody else is left: the turn waits, says what to do, and goes on when told."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        theatre.stage.will("first", cannot_afford(90))
        turn = await theatre.say("hello there")
        assert (turn.status, turn.wake_at) == (Status.WAITING, None)
        assert "only afford 90" in turn.error
        assert "Add credit at the provider of endpoint here, or lower max_tokens" in turn.error
        await theatre.service.resume(turn.session_id)
        assert (await theatre.rest(turn)).status is Status.DONE


async def test_an_answer_that_broke_off_is_asked_for_again_at_once(tmp_path):
    """Its server is up: one more request, whose attempt stands in the ledger, and no sleep."""
    async with open_theatre(tmp_path, Stage(**ALONE)) as theatre:
        theatre.stage.will("first", Act("Half an ans", finish=None), "Whole.")
        turn = await theatre.say("hello there", **RUN)
        assert (turn.status, turn.reply) == (Status.DONE, "Whole.")
        assert [a.outcome for a in await theatre.attempts()] == ["unavailable", "success"]
        theatre.stage.always("first", Act("Half an ans", finish=None))
        turn = await theatre.say("hello again", **RUN)
        assert turn.status is Status.PARKED
        assert len(theatre.stage.client.requests) == 4


async def test_a_full_concurrency_slot_is_slept_on_and_asks_no_person(tmp_path):
    """Words of slots that are taken are a guess to wait out, in whatever status they come."""
    slots = (
        refused(429, message="concurrent session limit reached, please wait for a slot"),
        refused(403, message="You have reached your concurrency limit of 2"),
        refused(503, message="Too many concurrent requests"),
    )
    asleep = []
    for number, slot in enumerate(slots):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_theatre(folder, Stage(**ALONE)) as theatre:
            theatre.stage.will("first", slot)
            turn = await theatre.say("hello there", **RUN)
            asleep.append((turn.status, (await theatre.parkings(turn.id))[0].evidence))
    assert asleep == [(Status.PARKED, "guess")] * 3
