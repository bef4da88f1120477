import asyncio
import json
import signal
from collections.abc import Callable

import pytest

from noctule.core.llm.events import Event, EventKind
from noctule.core.sessions.lifecycle import Status
from tests.support.provider import Provider, Reply, Request
from tests.support.rig import CLOCK, Rig

pytestmark = pytest.mark.process

LONG = Reply(text="one two three four five six seven eight", between_tokens=8.0)
"""An answer that takes a minute: nobody waits for its end."""


def slow_when(words: str, reply: Reply = LONG) -> Callable[[Request], Reply | None]:
    """Answer messages that hold some words with another reply."""
    return lambda request: reply if words in request.last_user_text else None


async def test_sigterm_lets_the_step_under_way_finish_and_the_next_start_does_the_rest(tmp_path):
    """The first of two calls ends after the signal, the second is made by the next worker."""
    gate = asyncio.Event()

    def decide(request: Request) -> Reply | None:
        return Reply(text="Found.", gate=gate) if len(provider.requests) == 1 else None

    provider = Provider(decide=decide, default=Reply(text="Written."))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        turn = await rig.say("@research @writer something about bats")
        serve = await rig.serve()
        await provider.until(lambda one: one.busy == 1)
        serve.signal(signal.SIGTERM)
        await serve.says("Stopping")
        gate.set()
        code, _ = await serve.ended()
        assert code == 0, serve.lines
        assert (await rig.turn(turn)).status is Status.RUNNING
        assert len(provider.requests) == 1
        async with rig.serving() as serve:
            done = await rig.until(turn, Status.DONE)
        assert "1 running" in serve.lines[0]
        assert done.reply == "Written."
        assert len(provider.requests) == 2


async def test_a_second_signal_leaves_at_once_and_loses_nothing(tmp_path):
    """A worker in the middle of a call ends with 1; the next one makes that call again."""
    provider = Provider(default=Reply(text="Good evening."))
    provider.enqueue(LONG)
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        turn = await rig.say("hello")
        serve = await rig.serve()
        await provider.until(lambda one: one.busy == 1)
        serve.signal(signal.SIGTERM)
        await serve.says("Stopping")
        serve.signal(signal.SIGINT)
        code, _ = await serve.ended()
        assert code == 1
        async with rig.serving():
            assert (await rig.until(turn, Status.DONE)).reply == "Good evening."
        assert len(provider.requests) == 2


async def test_one_worker_at_a_time_has_a_data_folder(tmp_path):
    """A second serve, and a worker, end with 1 and say which process has it."""
    async with Provider() as provider, Rig(tmp_path, provider.openai_url) as rig:
        async with rig.serving() as serve:
            for what in ("serve", "worker"):
                other = await rig.start(what)
                code, _ = await other.ended()
                assert code == 1
                assert f"`noctule serve` (process {serve.pid}" in "".join(other.lines)
        first = await rig.serve("worker")
        await first.kill()
        async with rig.serving():  # a lock falls with its process
            pass


async def test_parks_wakes_and_ends_are_told_on_stderr(tmp_path):
    """Each is a line with the session's id and, for a park, the provider's own words."""
    refusal = Reply.refusal(429, "slow down please", headers={"Retry-After": "1"})
    provider = Provider(default=Reply(text="Good evening."))
    provider.enqueue(refusal)
    async with provider, Rig(tmp_path, provider.openai_url) as rig, rig.serving() as serve:
        turn = await rig.say("hello")
        for words in ("started", "parked: ", "woke", "done"):
            line = await serve.says(words)
            assert turn.session_id in line
        assert "slow down please" in "".join(serve.lines)


async def test_a_wake_that_passed_while_nobody_worked_is_made_up_for_once(tmp_path):
    """A turn whose time came while its worker was stopped goes on at the next start."""
    provider = Provider(default=Reply(text="Good evening."))
    provider.enqueue(Reply.refusal(429, headers={"Retry-After": "1"}))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        turn = await rig.say("hello")
        async with rig.serving():
            await rig.until(turn, Status.PARKED)
        parked = await rig.turn(turn)
        while parked.wake_at is not None and parked.wake_at > CLOCK.now():
            await CLOCK.sleep(0.1)
        async with rig.serving():
            await rig.until(turn, Status.DONE)
        assert len(provider.requests) == 2
        kinds = [event.kind for event in await rig.events(turn.session_id)]
        assert kinds.count(EventKind.WOKEN) == 1


async def test_messages_to_a_busy_and_a_sleeping_session_are_answered_in_order(tmp_path):
    """What is said meanwhile waits its turn; nothing is dropped and nothing overtakes."""
    provider = Provider(default=Reply(echo=True))
    provider.enqueue(Reply.refusal(429, headers={"Retry-After": "1"}))
    async with provider, Rig(tmp_path, provider.openai_url) as rig, rig.serving():
        turns = [await rig.say("hello 0")]
        session = turns[0].session_id
        turns.append(await rig.say("hello 1", session))
        await rig.until(turns[0], Status.PARKED)
        turns += [await rig.say(f"hello {number}", session) for number in range(2, 8)]
        await rig.until(turns, Status.DONE)
        replies = [(await rig.turn(turn)).reply for turn in turns]
        assert replies == [f"echo: hello {number}" for number in range(8)]
        started = [(await rig.turn(turn)).started_at for turn in turns]
        assert started == sorted(started)


async def test_many_messages_to_one_busy_session_leave_room_for_others(tmp_path):
    """A hundred waiting turns of one session take no place from another session's turn."""
    provider = Provider(decide=slow_when("long"), default=Reply(echo=True))
    async with provider, Rig(tmp_path, provider.openai_url) as rig, rig.serving():
        first = await rig.say("hello, something long")
        await provider.until(lambda one: one.busy == 1)
        for number in range(100):
            await rig.say(f"hello {number}", first.session_id)
        other = await rig.say("hello from elsewhere")
        await rig.until(other, Status.DONE)
        await rig.records.service.cancel(first.session_id)
        await rig.until(first, Status.CANCELLED)


async def test_cancel_and_park_reach_a_call_in_another_process(tmp_path):
    """The provider's connection is closed, the attempt recorded, and the others go on."""
    provider = Provider(decide=slow_when("long"), default=Reply(text="Good evening."))
    async with provider, Rig(tmp_path, provider.openai_url) as rig, rig.serving():
        cancelled = await rig.say("hello, something long")
        parked = await rig.say("hello, something else that is long")
        await provider.until(lambda one: one.busy == 2)
        await rig.records.service.cancel(cancelled.session_id)
        await rig.records.service.park(parked.session_id)
        await rig.until(cancelled, Status.CANCELLED)
        await rig.until(parked, Status.PARKED)
        await provider.until(lambda one: one.busy == 0)
        assert {request.result for request in provider.requests} == {"gone"}
        provider.decide = None  # the next message comes to the model joined with the cancelled one
        again = await rig.say("hello again", cancelled.session_id)
        await rig.until(again, Status.DONE)
        await rig.records.service.resume(parked.session_id)
        await rig.until(parked, Status.DONE)


async def test_a_stream_of_events_is_followed_from_any_point_without_gap_or_repeat(tmp_path):
    """Two followers, one of them in another process, and one that comes back again and again."""
    words = " ".join(f"word{number}" for number in range(40))
    provider = Provider(default=Reply(text=words, between_tokens=0.05))
    async with provider, Rig(tmp_path, provider.openai_url) as rig, rig.serving():
        turn = await rig.say("hello")
        elsewhere = await rig.start("sessions", "log", turn.session_id, "--follow", "--json")
        steady = asyncio.create_task(follow(rig, turn.session_id, most=10_000))
        restless = asyncio.create_task(follow(rig, turn.session_id, most=3))
        await rig.until(turn, Status.DONE)
        seen, seen_in_pieces = await steady, await restless
        code, out = await elsewhere.ended()
    assert code == 0
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    text = "".join(event.data["text"] for event in seen if event.kind is EventKind.DELTA)
    assert text == words
    told = [event.seq for event in seen if event.kind is not EventKind.DELTA]
    assert [entry["seq"] for entry in json.loads(out)] == told
    # Deltas are dropped once the reply is stored: who reads later misses those, and only those.
    numbers = [event.seq for event in seen_in_pieces]
    assert numbers == sorted(set(numbers))
    assert set(told) <= set(numbers)


async def follow(rig: Rig, session_id: str, *, most: int) -> list[Event]:
    """Follow a session to the end of its turn, anew after every few events."""
    seen: list[Event] = []
    while not seen or seen[-1].kind is not EventKind.TURN_ENDED:
        stream = rig.records.events.follow(session_id, seen[-1].seq if seen else 0)
        try:
            for _ in range(most):
                seen.append(await anext(stream))
                if seen[-1].kind is EventKind.TURN_ENDED:
                    break
        finally:
            await stream.aclose()
    return seen


async def test_serve_takes_a_session_over_from_a_command_after_its_step(tmp_path):
    """A run that works by itself gives way, goes on following, and ends with the reply."""
    gate = asyncio.Event()

    def decide(request: Request) -> Reply | None:
        return Reply(text="Found.", gate=gate) if len(provider.requests) == 1 else None

    provider = Provider(decide=decide, default=Reply(text="Written."))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        run = await rig.start("run", "--json", "@research @writer something about bats")
        await provider.until(lambda one: one.busy == 1)
        serve = await rig.start("serve")
        while not rig.records.home.joinpath("worker.wanted").exists():
            await CLOCK.sleep(0.05)
        await CLOCK.sleep(0.5)
        gate.set()
        await serve.says("Serving")
        code, out = await run.ended()
        assert (code, json.loads(out)["reply"]) == (0, "Written."), run.lines
        assert len(provider.requests) == 2
        assert await serve.stop() == 0
