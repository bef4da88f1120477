import json
import signal

import pytest

from noctule.core.sessions.lifecycle import Status
from tests.support.provider import Provider, Reply
from tests.support.rig import Rig

pytestmark = pytest.mark.process


def refusal(seconds: int) -> Reply:
    return Reply.refusal(429, "slow down", headers={"Retry-After": str(seconds)})


async def test_run_waits_across_sleeps_without_a_worker(tmp_path):
    """With --wait a command whose work sleeps twice stays, wakes it itself and ends with 0."""
    provider = Provider(default=Reply(text="At last."))
    provider.enqueue(refusal(4), refusal(4))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        run = await rig.start("run", "--wait", "--role", "chat", "hello")
        code, out = await run.ended()
        assert (code, out) == (0, "At last.\n"), run.lines
        told = "".join(run.lines)
        assert "Sleeps" in told
        assert "woke after" in told
        assert len(provider.requests) == 3


async def test_run_waits_for_what_serve_wakes(tmp_path):
    """With a worker alive the command leaves the waking to it, and ends as the work ends."""
    provider = Provider(default=Reply.refusal(401, "who are you"))
    provider.enqueue(refusal(4))
    async with provider, Rig(tmp_path, provider.openai_url) as rig, rig.serving():
        run = await rig.start("run", "--wait", "--json", "--role", "chat", "hello")
        code, out = await run.ended()
        assert (code, json.loads(out)["status"]) == (1, "failed"), run.lines


async def test_leaving_a_wait_leaves_the_work_asleep(tmp_path):
    """Ctrl-C while it sleeps ends the command with 75 and says what goes on with it."""
    provider = Provider(default=refusal(600))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        run = await rig.start("run", "--wait", "--role", "chat", "hello")
        await run.says("Sleeps")
        run.signal(signal.SIGINT)
        code, _ = await run.ended()
        assert code == 75, run.lines
        assert "noctule serve" in run.lines[-1]
        async with rig.records.database.read() as work:
            (session,) = await work.sessions.list()
            (turn,) = await work.turns.of_session(session.id)
        assert turn.status is Status.PARKED


async def test_work_for_later_is_waited_for(tmp_path):
    """--at and --wait together begin then, in this command, and end with the work."""
    provider = Provider(default=Reply(text="Good morning."))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        run = await rig.start("run", "--wait", "--at", "+3s", "--role", "chat", "hello")
        code, out = await run.ended()
        assert (code, out) == (0, "Good morning.\n"), run.lines
        both = await rig.start("run", "--wait", "--detach", "hello")
        assert (await both.ended())[0] == 2
