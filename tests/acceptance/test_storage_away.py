import asyncio
from collections import Counter

import pytest

from noctule.core.llm.attempts import Purpose
from noctule.core.sessions.lifecycle import Status
from tests.support.command_line import ROLES
from tests.support.postgres import fresh_database
from tests.support.postgres_trouble import troubled_server
from tests.support.provider import Provider, Reply, Request
from tests.support.rig import CLOCK, Rig

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.timeout(300)]


@pytest.fixture
def own_server():
    """A server that may be stopped, and an empty database on it."""
    with troubled_server() as server, fresh_database(server.url) as url:
        yield server, url
        server.ensure()


async def test_a_server_that_crashes_and_comes_back_ends_no_turn_and_costs_no_call(
    tmp_path, own_server
):
    """Calls in flight reach the ledger after the outage, no step is repeated, one line tells."""
    server, url = own_server
    gate = asyncio.Event()

    def decide(request: Request) -> Reply:
        return Reply(text="Written.", gate=gate)

    provider = Provider(decide=decide)
    config = {
        "storage": {"url": url},
        "limits": {"queue_timeout": "0s", "max_turns": 8},
        "roles": {role: {"primary": "loop", "tools": []} for role in ROLES},
    }
    async with provider, Rig(tmp_path, provider.openai_url, **config) as rig:
        serve = await rig.serve()
        turns = [await rig.say(f"@research @writer number {number}") for number in range(8)]
        await provider.until(lambda provider: provider.busy == 8, within=60)
        server.crash()
        gate.set()  # all answers come while nothing can be stored
        await CLOCK.sleep(7)
        assert serve.process.returncode is None
        server.start()
        await rig.until(turns, Status.DONE, Status.FAILED)
        assert {(await rig.turn(turn)).status for turn in turns} == {Status.DONE}
        async with rig.records.database.read() as work:
            ledger = await work.attempts.list()
        attempts = [attempt for attempt in ledger if attempt.purpose is not Purpose.PROBE]
        assert len(attempts) == len(provider.requests) == 16
        assert set(Counter(r.last_user_text for r in provider.requests).values()) == {1}
        assert await serve.stop() == 0
        said = "".join(serve.lines)
        assert "Traceback" not in said, said
        assert said.count("does not answer") == 1, said
        assert said.count("Storage answers again") == 1, said


async def test_serve_waits_at_its_start_for_a_server_that_is_down(tmp_path, own_server):
    """It says once what it waits for, and works when the server is there."""
    server, url = own_server
    provider = Provider(default=Reply(text="Good evening."))
    async with provider, Rig(tmp_path, provider.openai_url, storage={"url": url}) as rig:
        turn = await rig.say("hello")
        server.crash()
        serve = await rig.start("serve")
        await serve.says("Waiting until it answers")
        await CLOCK.sleep(3)
        server.start()
        await serve.says("Serving")
        await rig.until(turn, Status.DONE)
        assert await serve.stop() == 0
        assert "".join(serve.lines).count("does not answer") == 1


async def test_a_worker_can_be_stopped_while_its_storage_is_away(tmp_path, own_server):
    """It does not wait for ever to write what nothing takes; the next start goes on."""
    server, url = own_server
    gate = asyncio.Event()
    provider = Provider(decide=lambda _: Reply(text="Written.", gate=gate))
    async with provider, Rig(tmp_path, provider.openai_url, storage={"url": url}) as rig:
        serve = await rig.serve()
        turn = await rig.say("hello")
        await provider.until(lambda provider: provider.busy == 1, within=60)
        server.crash()
        gate.set()
        await serve.says("does not answer")
        await serve.stop()
        server.start()
        async with rig.serving():
            await rig.until(turn, Status.DONE)
