from datetime import timedelta
from typing import Any

import pytest

from noctule.core.clock import SystemClock
from noctule.core.llm.events import EventKind
from noctule.core.sessions.lifecycle import Status
from tests.support.provider import Provider, Reply
from tests.support.rig import Rig

pytestmark = pytest.mark.process

PRICED = {
    "loop": {
        "endpoint": "shop",
        "name": "loop",
        "context": 32000,
        "price": {"input": 0, "output": 1000},
    }
}


def usage(spent: float, at: str | None) -> Reply:
    return Reply(body={"budget": {"limit": 5, "spent": spent, "resets_at": at}})


def endpoint(provider: Provider, **more: Any) -> dict[str, Any]:
    return {"shop": {"kind": "openai", "url": provider.openai_url, "key": "${SHOP_KEY}", **more}}


async def test_a_refused_session_wakes_when_the_providers_account_resets(tmp_path) -> None:
    """The refusal names no time; the account does, and is asked before the sleep is decided."""
    clock = SystemClock()
    refusal = {"error": {"message": "Budget has been exceeded!", "type": "budget_exceeded"}}
    async with Provider() as provider:
        resets_at = clock.now() + timedelta(seconds=8)
        provider.documents["/v1/usage"] = usage(5.01, resets_at.isoformat())
        provider.enqueue(Reply(status=400, body=refusal))
        account = endpoint(provider, account="cheapestinference")
        rig = Rig(tmp_path, provider.openai_url, endpoints=account, models=PRICED)
        rig.command_line.env["SHOP_KEY"] = "sk-shop"
        # The records are opened with that variable in place.
        async with rig, rig.serving():
            turn = await rig.say("hello")
            parked = await rig.until(turn, Status.PARKED, Status.DONE)
            assert parked.status is Status.PARKED
            assert "endpoint shop says that $0.00 of $5.00 is left" in (parked.error or "")
            assert parked.wake_at is not None
            assert timedelta(0) < parked.wake_at - resets_at < timedelta(seconds=3)
            provider.documents["/v1/usage"] = usage(0, None)
            done = await rig.until(turn, Status.DONE)
            assert done.ended_at is not None
            assert done.ended_at > resets_at
            kinds = [event.kind for event in await rig.events(turn.session_id)]
            assert kinds.count(EventKind.PARKED) == kinds.count(EventKind.WOKEN) == 1
        assert len(provider.requests) == 2


async def test_a_budget_raised_in_the_configuration_wakes_its_sleepers_at_the_next_start(
    tmp_path,
) -> None:
    """What did not fit a budget of this month goes on as soon as a worker starts with more."""
    async with Provider() as provider:

        def budgets(usd: float) -> dict[str, Any]:
            return {"all": {"scope": "global", "usd": usd, "window": "month"}}

        role = {"primary": "loop", "max_tokens": 10}
        roles = dict.fromkeys(("chat", "orchestrator", "engineer", "writer", "utility"), role)
        config = {
            "endpoints": endpoint(provider),
            "models": PRICED,
            "roles": {**roles, "research": role},
        }
        rig = Rig(tmp_path, provider.openai_url, budgets=budgets(0.012), **config)
        rig.command_line.env["SHOP_KEY"] = "sk-shop"
        async with rig:
            async with rig.serving():
                first = await rig.say("hello", role="chat")
                await rig.until(first, Status.DONE)
                second, third = [await rig.say("again", role="chat") for _ in range(2)]
                await rig.until([second, third], Status.WAITING)  # a month is too long
            async with rig.serving():  # a start alone wakes nobody
                assert (await rig.turn(second)).status is Status.WAITING
            limits = {"queue_timeout": "0s"}
            rig.command_line.configure({**config, "budgets": budgets(1), "limits": limits})
            async with rig.serving():
                await rig.until([second, third], Status.DONE)
        assert len(provider.requests) == 3
