import asyncio
from collections import Counter

import pytest

from noctule.core.lifecycle import Status
from tests.support.provider import Provider, Reply, Request
from tests.support.rig import Rig

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.timeout(300)]


async def test_a_living_worker_takes_over_what_a_killed_one_carried(tmp_path, postgres_url):
    """Two workers share the sessions; after SIGKILL the other finishes all, repeating no step."""
    gate = asyncio.Event()

    def decide(request: Request) -> Reply:
        return Reply(text="Written.", gate=gate)

    provider = Provider(decide=decide)
    # Each worker has places for half of the turns, so that both are at work.
    config = {
        "storage": {"url": postgres_url},
        "limits": {"queue_timeout": "0s", "max_turns": 4},
    }
    async with provider, Rig(tmp_path, provider.openai_url, **config) as rig:
        one, two = await asyncio.gather(rig.serve("worker"), rig.serve("worker"))
        turns = [await rig.say(f"@research @writer number {number}") for number in range(8)]
        await provider.until(lambda provider: provider.busy == 8, within=60)
        await one.kill()
        gate.set()
        await rig.until(turns, Status.DONE)
        # The four calls that were in flight in the killed worker are made again, nothing else is.
        texts = Counter(request.last_user_text for request in provider.requests)
        assert sorted(texts.values()) == [1] * 12 + [2] * 4
        assert not any("Written." in text for text, times in texts.items() if times > 1)
        assert await two.stop() == 0


async def test_a_command_works_its_own_session_off_beside_no_worker(tmp_path, postgres_url):
    """Without a worker `run` does it itself; with one, whoever comes first does it, once."""
    provider = Provider(default=Reply(text="Good evening."))
    storage = {"url": postgres_url}
    async with provider, Rig(tmp_path, provider.openai_url, storage=storage) as rig:
        for expected in (1, 2):
            run = await rig.start("run", "hello")
            code, out = await run.ended()
            assert (code, out) == (0, "Good evening.\n"), run.lines
            assert len(provider.requests) == expected
        async with rig.serving("worker"):
            run = await rig.start("run", "hello")
            code, out = await run.ended()
            assert (code, out) == (0, "Good evening.\n"), run.lines
            assert len(provider.requests) == 3
