import asyncio
import json
import signal
from datetime import timedelta

import pytest

from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from tests.support.provider import Provider, Reply
from tests.support.rig import CLOCK, Rig

pytestmark = pytest.mark.process


async def test_run_follows_its_work_to_the_reply(tmp_path):
    """It says first where the work goes, then shows route and reply; the session is a run."""
    provider = Provider(default=Reply(text="Good evening."))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        run = await rig.start("run", "hello")
        code, out = await run.ended()
        assert (code, out) == (0, "Good evening.\n"), run.lines
        first, *others = "".join(run.lines).splitlines()
        assert "this command works on it" in first
        assert "sessions log" in first
        assert any("chat (rule: a greeting)" in line for line in others)
        assert others[-1] == "Never parked; 0 repeated; cost $0.00."
        async with rig.records.database.read() as work:
            (session,) = await work.sessions.list()
        assert session.kind is SessionKind.RUN


async def test_run_ends_with_75_when_its_work_sleeps_and_with_1_when_it_fails(tmp_path):
    """The exit code is that of the contract, and the sentence says what to do."""
    provider = Provider(default=Reply(text="Good evening."))
    provider.enqueue(
        Reply.refusal(429, "slow down", headers={"Retry-After": "600"}),
        Reply.refusal(401, "who are you"),
    )
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        run = await rig.start("run", "--json", "hello")
        code, out = await run.ended()
        document = json.loads(out)
        assert (code, document["status"]) == (75, "parked")
        assert document["wake_at"] is not None
        assert "noctule serve" in document["error"]
        await rig.records.service.cancel(document["session"])
        await rig.records.service.clear_limits()
        run = await rig.start("run", "--json", "hello")
        code, out = await run.ended()
        assert (code, json.loads(out)["status"]) == (1, "failed")


async def test_detached_work_waits_for_serve_and_says_so(tmp_path):
    """The id alone is on stdout, JSON has session, turn and status; serve then does the work."""
    provider = Provider(default=Reply(text="Good evening."))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        plain = await rig.start("run", "--detach", "hello")
        code, out = await plain.ended()
        assert code == 0
        assert "waits for `noctule serve`" in "".join(plain.lines)
        run = await rig.start("run", "--detach", "--json", "hello")
        code, text = await run.ended()
        document = json.loads(text)
        assert (code, document["status"]) == (0, "queued")
        async with rig.records.database.read() as work:
            turns = await work.turns.unfinished()
        assert [turn.session_id for turn in turns] == [out.strip(), document["session"]]
        assert turns[1].id == document["turn"]
        async with rig.serving() as serve:
            assert "2 queued" in serve.lines[0]
            await rig.until(turns, Status.DONE)
            third = await rig.start("run", "--detach", "hello")
            await third.ended()
            assert f"`noctule serve` (process {serve.pid}) works on it" in "".join(third.lines)


async def test_work_for_later_begins_at_its_time(tmp_path):
    """``--at`` is stored with the turn; nothing is asked of a model before."""
    provider = Provider(default=Reply(text="Good evening."))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        run = await rig.start("run", "--at", "+12s", "--detach", "--json", "hello")
        _, out = await run.ended()
        document = json.loads(out)
        async with rig.records.database.read() as work:
            turn = await work.turns.get(document["turn"])
        assert turn.wake_at is not None
        assert turn.wake_at - turn.created_at > timedelta(seconds=9)
        async with rig.serving():
            done = await rig.until(turn, Status.DONE)
        assert done.started_at is not None
        assert done.started_at >= turn.wake_at
        wrong = await rig.start("run", "--at", "soon", "hello")
        code, _ = await wrong.ended()
        assert code == 2
        assert "--at 'soon' names no time" in "".join(wrong.lines)


async def test_ctrl_c_leaves_work_that_a_worker_does_and_stops_none_of_it(tmp_path):
    """While a worker carries the turn the command ends at once, the turn goes on."""
    gate = asyncio.Event()
    provider = Provider(default=Reply(text="Good evening.", gate=gate))
    async with provider, Rig(tmp_path, provider.openai_url) as rig, rig.serving():
        run = await rig.start("run", "hello")
        await run.says("works on it")
        await provider.until(lambda one: one.busy == 1)
        await CLOCK.sleep(3)  # until it follows
        run.signal(signal.SIGINT)
        code, out = await run.ended()
        assert (code, out) == (75, "")
        assert "`noctule serve` continues it" in "".join(run.lines)
        assert "sessions log" in "".join(run.lines)
        assert provider.busy == 1
        gate.set()
        async with rig.records.database.read() as work:
            (turn,) = await work.turns.unfinished()
        await rig.until(turn, Status.DONE)
        assert len(provider.requests) == 1


async def test_ctrl_c_on_work_of_its_own_stops_after_the_step(tmp_path):
    """The step under way is kept; what is left goes on with the next serve."""
    gate = asyncio.Event()
    provider = Provider(default=Reply(text="Written.", gate=gate))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        run = await rig.start("run", "@research @writer something about bats")
        await provider.until(lambda one: one.busy == 1)
        run.signal(signal.SIGINT)
        await run.says("Stopping after the current step")
        gate.set()
        code, _ = await run.ended()
        assert code == 75
        assert len(provider.requests) == 1
        async with rig.records.database.read() as work:
            (turn,) = await work.turns.unfinished()
        async with rig.serving():
            await rig.until(turn, Status.DONE)
        assert len(provider.requests) == 2
