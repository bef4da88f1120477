import pytest

from noctule.core.sessions.lifecycle import Status
from tests.support.provider import Provider, Reply, Request
from tests.support.rig import CLOCK, Rig

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

SLEEPERS = 200


async def test_a_reset_costs_one_request_with_two_hundred_sleepers(tmp_path):
    """Of 200 sessions asleep on one limit one asks; refused, all move; answered, all go on."""
    refusals = [
        Reply.refusal(429, headers={"Retry-After": "25"}),
        Reply.refusal(429, headers={"Retry-After": "4"}),
    ]

    def decide(request: Request) -> Reply | None:
        return refusals[request.number - 1] if request.number <= len(refusals) else None

    provider = Provider(decide=decide, default=Reply(text="Good evening."))
    async with provider, Rig(tmp_path, provider.openai_url) as rig, rig.serving():
        turns = [await rig.say("hello 0")]
        await rig.until(turns[0], Status.PARKED)
        turns += [await rig.say(f"hello {number}") for number in range(1, SLEEPERS)]
        await rig.until(turns, Status.PARKED)
        assert len(provider.requests) == 1
        await provider.until(lambda one: len(one.requests) == 2, within=60)
        await CLOCK.sleep(3)
        assert len(provider.requests) == 2, "somebody asked after the probe had been refused"
        await rig.until(turns, Status.DONE)
        results = [request.result for request in provider.requests]
        assert results.count("refused") == 2
        assert results.count("answered") == SLEEPERS
