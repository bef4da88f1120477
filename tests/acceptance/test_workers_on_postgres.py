import asyncio
from collections import Counter
from contextlib import suppress
from decimal import Decimal

import pytest

from noctule.core.budgets.budgets import BudgetUsage
from noctule.core.sessions.lifecycle import Status
from tests.support.command_line import ROLES
from tests.support.provider import Provider, Reply, Request
from tests.support.rig import CLOCK, Rig

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
        "roles": {role: {"primary": "loop", "tools": []} for role in ROLES},
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


async def test_workers_under_one_budget_never_spend_more_than_it_pays(tmp_path, postgres_url):
    """Three workers share a budget for four answers: no window passes it, and all work is done."""
    limit, cost, count = Decimal("0.20"), Decimal("0.03"), 12
    provider = Provider(default=Reply(before_token=0.3))
    price = {"input": 0, "output": 10_000}
    model = {"endpoint": "shop", "name": "loop", "context": 32000, "price": price}
    config = {
        "storage": {"url": postgres_url},
        "models": {"loop": model},
        "roles": {role: {"primary": "loop", "max_tokens": 10, "tools": []} for role in ROLES},
        "budgets": {"all": {"scope": "global", "usd": str(limit), "window": "4s"}},
        # Each worker has places for a part of the turns, so that all are at work.
        "limits": {"queue_timeout": "0s", "max_turns": 4},
    }
    async with provider, Rig(tmp_path, provider.openai_url, **config) as rig:
        workers = await asyncio.gather(*(rig.serve("worker") for _ in range(3)))
        tallies: list[BudgetUsage] = []
        watch = asyncio.create_task(see_the_budget(rig, tallies))
        turns = [await rig.say(f"hello {number}") for number in range(count)]
        await rig.until(turns, Status.DONE)
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        assert [await worker.stop() for worker in workers] == [0, 0, 0]
        async with rig.records.database.read() as work:
            attempts = await work.attempts.list()
            assert await work.budgets.held() == []
            (last,) = await work.budgets.tallies()
    assert len(provider.requests) == len(attempts) == count
    assert sum(attempt.cost_usd or 0 for attempt in attempts) == count * cost
    assert provider.peak > 1
    windows: dict[int, Decimal] = {}
    for tally in [*tallies, last]:
        assert tally.settled_usd + tally.held_usd <= limit
        windows[tally.number] = max(windows.get(tally.number, Decimal(0)), tally.settled_usd)
    # Three fit beside a fourth that may cost ten cents: at least three windows for twelve.
    assert len(windows) >= 3
    assert (last.over_usd, last.recovered_usd, last.held_usd) == (0, 0, 0)


async def test_caps_hold_for_all_workers_together(tmp_path, postgres_url):
    """Three workers under a cap of two send two requests at once; a dead one's room is free."""
    gate = asyncio.Event()

    def decide(request: Request) -> Reply:
        held = "held" in request.last_user_text
        return Reply(text="Written.", before_token=0.3, gate=gate if held else None)

    provider = Provider(decide=decide)
    model = {"endpoint": "shop", "name": "loop", "context": 32000, "max_concurrent": 2}
    config = {
        "storage": {"url": postgres_url},
        "models": {"loop": model},
        "limits": {"queue_timeout": "0s", "max_turns": 4},
    }
    async with provider, Rig(tmp_path, provider.openai_url, **config) as rig:
        workers = await asyncio.gather(*(rig.serve("worker") for _ in range(3)))
        turns = [await rig.say(f"hello {number}") for number in range(12)]
        await rig.until(turns, Status.DONE)
        assert (len(provider.requests), provider.peak) == (12, 2)
        turns = [await rig.say(f"held {number}") for number in range(9)]
        await provider.until(lambda provider: provider.busy == 2, within=60)
        for worker in workers[:2]:
            await worker.kill()
        gate.set()
        await rig.until(turns, Status.DONE)
        assert await workers[2].stop() == 0


async def see_the_budget(rig: Rig, tallies: list[BudgetUsage]) -> None:
    """Keep what the budget has come to, again and again."""
    while True:
        async with rig.records.database.read() as work:
            tallies.extend(await work.budgets.tallies())
        await CLOCK.sleep(0.02)
