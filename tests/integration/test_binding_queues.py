import asyncio
from datetime import timedelta

import pytest

from noctule.core.base.roles import Role
from noctule.core.clock import SystemClock
from noctule.core.errors import LimitError
from noctule.core.llm.selection import RoutingPreference
from noctule.core.provider_errors.outcomes import Outcome
from tests.support.stage import Act, Stage, asking, refused, settle


async def test_an_ollama_model_serves_one_call_at_a_time() -> None:
    """Without a cap of its own an Ollama model has one slot: nothing queues inside Ollama."""
    stage = Stage(endpoints={"here": {"kind": "ollama"}}, role={"fallback": []})
    gate = asyncio.Event()
    stage.always("first", Act(until=gate))
    async with asking(stage) as one, asking(stage) as two:
        assert stage.client.running["first"] == 1
        gate.set()
        await asyncio.gather(one, two)
    assert stage.client.peak["first"] == 1


async def test_an_embedded_model_serves_as_many_as_it_has_slots() -> None:
    """The default cap of an embedded model is the number of its slots."""
    stage = Stage(endpoints={"here": {"kind": "embedded", "slots": 3}}, role={"fallback": []})
    gate = asyncio.Event()
    stage.always("first", Act(until=gate))
    tasks = [asyncio.create_task(stage.ask()) for _ in range(5)]
    await settle()
    assert stage.client.running["first"] == 3
    gate.set()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    "caps",
    [
        {"role": {"fallback": [], "max_concurrent": 2}},
        {"role": {"fallback": []}, "models": {"first": {"max_concurrent": 2}}},
        {"role": {"fallback": []}, "endpoints": {"here": {"max_concurrent": 2}}},
    ],
)
async def test_every_kind_of_cap_holds(caps: dict) -> None:
    """Caps of role, model and endpoint each bound how many calls run at once."""
    stage = Stage(**caps)
    stage.always("first", Act(takes_s=1))
    tasks = [asyncio.create_task(stage.ask()) for _ in range(7)]
    await settle()
    for _ in range(4):
        await stage.clock.advance(1)
        await settle()
    await asyncio.gather(*tasks)
    assert stage.client.peak["first"] == 2


async def test_a_busy_model_is_left_for_the_next_after_the_queue_timeout() -> None:
    """The wait is recorded, and so is why the primary was passed over."""
    stage = Stage(models={"first": {"max_concurrent": 1}})
    gate = asyncio.Event()
    stage.will("first", Act(until=gate))
    async with asking(stage), asking(stage) as second:
        await stage.clock.advance(29)
        assert not second.done()
        await stage.clock.advance(1)
        reply = await second
        assert reply.attempt.model == "second"
        assert reply.attempt.wait_s == 30
        assert reply.attempt.fallback_from == "first"
        [skip] = reply.attempt.skipped
        assert (skip.model, skip.reason) == ("first", "busy 30 s")
        gate.set()


async def test_chat_does_not_queue_for_longer_than_five_seconds() -> None:
    """A person sits waiting: chat goes to its fallback after 5 seconds."""
    stage = Stage(models={"first": {"max_concurrent": 1}})
    stage.will("first", Act(hangs=True))
    async with asking(stage), asking(stage, role=Role.CHAT) as chat:
        await stage.clock.advance(5)
        assert (await chat).attempt.wait_s == 5


async def test_with_everybody_busy_a_call_waits_instead_of_failing() -> None:
    """Our own caps queue: after its patience a call takes the first slot of any candidate."""
    stage = Stage(models={"first": {"max_concurrent": 1}, "second": {"max_concurrent": 1}})
    gates = {"first": asyncio.Event(), "second": asyncio.Event()}
    for model, gate in gates.items():
        stage.will(model, Act(until=gate))
    async with (
        asking(stage, wish=RoutingPreference(forced="first")) as one,
        asking(stage, wish=RoutingPreference(forced="second")) as two,
        asking(stage) as waiting,
    ):
        await stage.clock.advance(30)
        await settle()
        await stage.clock.advance(30)
        await settle()
        await stage.clock.advance(3600)
        assert not waiting.done()
        gates["second"].set()
        reply = await waiting
        assert reply.attempt.model == "second"
        assert reply.attempt.wait_s == 3660
        gates["first"].set()
        await asyncio.gather(one, two)


async def test_a_call_in_the_line_notices_that_a_limit_has_ended() -> None:
    """Waiting for a busy model, a call looks up now and then and takes one that is free again."""
    stage = Stage(models={"first": {"max_concurrent": 1}})
    stage.will("second", refused(429, retry_after=60))
    await stage.ask(wish=RoutingPreference(pinned="second"))
    stage.will("first", Act(hangs=True))
    async with asking(stage), asking(stage) as waiting:
        for _ in range(6):
            await stage.clock.advance(15)
            await settle()
        assert (await waiting).attempt.model == "second"


async def test_orchestrator_and_chat_go_before_the_others() -> None:
    """Whoever a person waits for is served first, whatever came before."""
    stage = Stage(models={"first": {"max_concurrent": 1}}, role={"fallback": []})
    gate = asyncio.Event()
    stage.will("first", Act(until=gate))
    roles = [Role.ENGINEER, Role.WRITER, Role.CHAT, Role.ORCHESTRATOR]
    tasks = [asyncio.create_task(stage.ask(role=Role.UTILITY))]
    await settle()
    tasks += [asyncio.create_task(stage.ask(role=role)) for role in roles]
    await settle()
    gate.set()
    await asyncio.gather(*tasks)
    served = [attempt.role for attempt in await stage.attempts()]
    assert served == ["utility", "chat", "orchestrator", "engineer", "writer"]


async def test_nobody_asks_after_the_refusal_while_they_queued() -> None:
    """Calls that waited for a slot look again before they use it: one refusal, one request."""
    stage = Stage(models={"first": {"max_concurrent": 1}})
    gate = asyncio.Event()
    stage.always("first", Act("", error=refused(429, retry_after=900), until=gate))
    tasks = [asyncio.create_task(stage.ask()) for _ in range(10)]
    await settle()
    gate.set()
    replies = await asyncio.gather(*tasks)
    assert stage.client.asked.count("first") == 1
    assert {reply.attempt.model for reply in replies} == {"second"}
    assert all(reply.attempt.fallback_from == "first" for reply in replies)


async def test_after_a_pause_one_call_probes_for_all() -> None:
    """A model that failed three times is left alone, then probed by one call of many."""
    stage = Stage()
    stage.will("first", *[OSError("down")] * 3)
    for _ in range(4):
        assert (await stage.ask()).attempt.model == "second"
    assert stage.client.asked.count("first") == 3
    [skip] = (await stage.attempts())[-1].skipped
    assert skip.reason.startswith("failed repeatedly, left alone until 2026-01-01 00:00:30")
    await stage.clock.advance(30)
    gate = asyncio.Event()
    stage.will("first", Act(until=gate))
    tasks = [asyncio.create_task(stage.ask()) for _ in range(10)]
    await settle()
    assert stage.client.asked.count("first") == 4
    gate.set()
    replies = await asyncio.gather(*tasks)
    assert [reply.attempt.model for reply in replies].count("first") == 1
    assert (await stage.ask()).attempt.model == "first"


async def test_slowness_opens_a_circuit_too() -> None:
    """First tokens later than ``slow_first_token`` count as failures though answers came."""
    stage = Stage()
    stage.always("first", Act(takes_s=61))
    for _ in range(3):
        async with asking(stage, stream=True) as task:
            await stage.clock.advance(61)
            assert (await task).attempt.first_token_s == 61
    assert (await stage.ask()).attempt.model == "second"
    assert "failed repeatedly" in (await stage.attempts())[-1].skipped[0].reason


async def test_an_open_circuit_with_nobody_else_is_waited_for_or_parked_on() -> None:
    """A pause that fits the patience is held on the spot; otherwise the call parks on a guess."""
    stage = Stage(role={"fallback": []})
    stage.will("first", *[OSError("down")] * 3)
    for _ in range(3):
        with pytest.raises(LimitError):
            await stage.ask()
    await stage.clock.advance(1)
    async with asking(stage) as task:
        await stage.clock.advance(30)
        assert (await task).attempt.model == "first"
    stage.will("first", *[OSError("down")] * 3)
    for _ in range(3):
        with pytest.raises(LimitError):
            await stage.ask(role=Role.CHAT)
    with pytest.raises(LimitError) as caught:
        await stage.ask(role=Role.CHAT)
    assert caught.value.retry_at == stage.clock.now() + timedelta(seconds=63)
    assert "down" in caught.value.reason


async def test_a_cancelled_call_is_written_down_and_gives_everything_back() -> None:
    """Cancelled in the middle: one row, no slot kept, the stream closed, the caller told."""
    stage = Stage(models={"first": {"max_concurrent": 1}})
    stage.will("first", Act("Half", hangs=True))
    async with asking(stage, stream=True) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    [row] = await stage.attempts()
    assert (row.outcome, row.model, row.discarded) == (Outcome.CANCELLED, "first", False)
    assert stage.client.open_streams == 0
    assert (await stage.ask()).attempt.wait_s == 0


async def test_a_call_cancelled_in_the_queue_leaves_no_trace() -> None:
    """Cancelled before it was sent, a call costs nothing and is no attempt."""
    stage = Stage(models={"first": {"max_concurrent": 1}})
    gate = asyncio.Event()
    stage.will("first", Act(until=gate))
    async with asking(stage) as one, asking(stage) as two:
        two.cancel()
        await asyncio.gather(two, return_exceptions=True)
        gate.set()
        await one
    assert len(await stage.attempts()) == 1
    assert (await stage.ask()).attempt.wait_s == 0


@pytest.mark.parametrize(
    ("limits", "act", "says"),
    [
        ({"first_token_timeout": "20ms"}, Act("", hangs=True), "no first token within 0.0 s"),
        ({"stall_timeout": "20ms"}, Act("Half an", hangs=True), "the answer stalled"),
        ({"call_timeout": "20ms"}, Act("Half an", hangs=True), "no end of the answer"),
    ],
)
async def test_a_stream_that_stops_is_given_up_in_time(limits: dict, act: Act, says: str) -> None:
    """No first token, a stall and an answer without end each have their timeout."""
    stage = Stage(clock=SystemClock(), limits=limits)
    stage.will("first", act)
    reply = await stage.ask(stream=True)
    assert reply.attempt.model == "second"
    failed = (await stage.attempts())[0]
    assert failed.outcome is Outcome.TIMEOUT
    assert says in str(failed.message)
    assert stage.client.open_streams == 0


async def test_a_plain_answer_has_a_total_timeout() -> None:
    """Without streaming only the whole answer can be timed."""
    stage = Stage(clock=SystemClock(), role={"call_timeout": "20ms", "fallback": ["second"]})
    stage.will("first", Act("", hangs=True))
    assert (await stage.ask()).attempt.model == "second"
    assert "no answer within" in str((await stage.attempts())[0].message)


async def test_cancellations_are_never_swallowed() -> None:
    """Fifty calls cancelled at as many moments: each one ends cancelled or with its answer."""
    stage = Stage(models={"first": {"max_concurrent": 3}}, role={"fallback": []})
    stage.always("first", Act("one two three four"))
    tasks = [asyncio.create_task(stage.ask(stream=True)) for _ in range(50)]
    cancelled = 0
    for rounds, task in enumerate(tasks):
        await settle(rounds % 7)
        cancelled += task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(r, asyncio.CancelledError) for r in results) == cancelled
    assert stage.client.open_streams == 0
    await stage.models.close()
    assert (await stage.ask()).attempt.wait_s == 0
