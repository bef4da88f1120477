"""Several commands on one data folder: nobody waits without a word, and nobody is in vain."""

import asyncio
import signal

import pytest

from noctule.core.sessions.lifecycle import Status
from tests.support.provider import Provider, Reply, Request
from tests.support.rig import Rig

pytestmark = pytest.mark.process


def held_first(gate: asyncio.Event) -> Provider:
    """Answer the first request when the gate opens, the others at once."""

    def decide(request: Request) -> Reply | None:
        return Reply(text="First.", gate=gate) if request.number == 1 else None

    return Provider(decide=decide, default=Reply(text="Second."))


async def test_a_second_run_says_for_whom_it_waits_and_begins_then(tmp_path):
    """Without `serve` the first command works; the second names it, and takes over at its end."""
    gate = asyncio.Event()

    provider = held_first(gate)
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        first = await rig.start("run", "hello")
        await provider.until(lambda one: one.busy == 1)
        for words in (("run", "hello"), ("chat", "hello")):
            second = await rig.start(*words)
            line = await second.says("Another `noctule run` is at work")
            assert "begins as soon as it has ended" in line
            assert "this command works on it, because" not in "".join(second.lines)
            if words[0] == "run":
                await second.kill()
        gate.set()
        assert (await first.ended())[:2] == (0, "First.\n")
        assert (await second.ended())[:2] == (0, "Second.\n")


async def test_a_run_during_the_drain_of_serve_is_not_promised_to_it(tmp_path):
    """It says that `serve` is stopping, and works on it itself as soon as it can."""
    gate = asyncio.Event()
    provider = held_first(gate)
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        await rig.say("hello")
        serve = await rig.serve()
        await provider.until(lambda one: one.busy == 1)
        serve.signal(signal.SIGTERM)
        await serve.says("Stopping")
        run = await rig.start("run", "hello")
        await run.says("`noctule serve` is stopping; this one takes over")
        assert "`noctule serve` (process" not in "".join(run.lines)
        gate.set()
        assert (await serve.ended())[0] == 0
        assert await run.ended() == (0, "Second.\n")


async def test_a_serve_during_the_drain_of_another_takes_over(tmp_path):
    """The newcomer waits until the old one has ended instead of refusing."""
    gate = asyncio.Event()
    provider = held_first(gate)
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        await rig.say("hello")
        serve = await rig.serve()
        await provider.until(lambda one: one.busy == 1)
        serve.signal(signal.SIGTERM)
        await serve.says("Stopping")
        newcomer = await rig.start("serve")
        await newcomer.says("is stopping; this one takes over")
        later = await rig.say("hello again")
        gate.set()
        assert (await serve.ended())[0] == 0
        await newcomer.says("Serving")
        await rig.until(later, Status.DONE)
        assert await newcomer.stop() == 0
