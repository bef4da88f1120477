from datetime import UTC, datetime
from typing import Any

import pytest

from noctule.core.budgets.accounts import account_key
from noctule.core.clock import SystemClock
from noctule.core.llm.limits import LimitKey
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import ParkingKind
from tests.support.provider import Provider, Reply
from tests.support.shell import SILENT, Shell
from tests.support.stored_records import a_limit, a_parking, a_session, a_turn, later

pytestmark = pytest.mark.process

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"


def served(url: str, **more: str) -> str:
    """Return a configuration whose only model is at a provider that says what is left."""
    roles = ("chat", "orchestrator", "engineer", "research", "writer", "utility")
    binding = "{primary: only, max_tokens: 100}"
    lines = [
        "timezone: Europe/Berlin",
        "endpoints:",
        f'  router: {{kind: openai, url: "{url}", key: "${{ROUTER_KEY}}", account: openrouter}}',
        "models: {only: {endpoint: router, name: model, price: {input: 10, output: 100}}}",
        "limits: {queue_timeout: 0s}",
        "roles:",
        *(f"  {name}: {binding}" for name in roles),
        *(f"{name}: {value}" for name, value in more.items()),
    ]
    return "\n".join(lines) + "\n"


def left(usd: float, limit: float | None = 5, reset: str | None = "monthly") -> Reply:
    data: dict[str, Any] = {"limit": limit, "limit_remaining": usd, "limit_reset": reset}
    return Reply(body={"data": {**data, "usage": 1234.5}})


async def test_a_run_sleeps_when_the_provider_says_that_too_little_is_left(tmp_path) -> None:
    """Before the call it was told; the run parks till the key's own reset; budgets shows both."""
    async with Provider() as provider:
        provider.documents["/api/v1/key"] = left(0.0001)
        budgets = "{all: {scope: endpoint, of: router, usd: 100, window: day}}"
        shell = Shell(tmp_path, served(provider.openai_url, budgets=budgets), ROUTER_KEY=KEY)
        asked = await shell("budgets", "ask", "--json")
        assert asked.code == 0, asked.err
        assert asked.json["woken"] == 0
        done = await shell("run", "hello", "--role", "chat", "--json")
        assert done.code == 75, done.err
        assert provider.requests == []
        ours, theirs = (await shell("budgets", "--json")).json
        assert (ours["by"], ours["left_usd"]) == ("noctule", 100)
        assert (theirs["by"], theirs["of"]) == ("provider", "router")
        assert (theirs["usd"], theirs["left_usd"]) == (5, 0.0001)
        assert theirs["words"] == "limit 5, limit_remaining 0.0001, limit_reset monthly"
        assert theirs["asleep"] == [done.json["session"]]
        reset = datetime.fromisoformat(theirs["resets_at"]).astimezone(UTC)
        assert (reset.day, reset.hour) == (1, 0)
        table = await shell("budgets")
        assert "by the provider" in table.out
        assert "$100.00" in table.out
        said = table.out + table.err + done.out + done.err + asked.out
        assert KEY not in said
        assert all(a.headers["authorization"] == f"Bearer {KEY}" for a in provider.other_requests)

        provider.documents["/api/v1/key"] = left(3)
        again = await shell("budgets", "ask")
        assert "resume while `noctule serve` runs: 1." in again.out


async def test_who_sleeps_on_an_account_wakes_when_it_is_filled(tmp_path) -> None:
    """Or when nobody asks for it any more; a start alone changes nothing."""
    async with Provider() as provider:
        provider.documents["/api/v1/key"] = left(0, reset=None)
        shell = Shell(tmp_path, served(provider.openai_url), ROUTER_KEY=KEY)
        await shell("budgets", "ask")
        async with shell.records() as work:
            await work.sessions.add(a_session())
            await work.turns.add(a_turn(status=Status.WAITING))
            key = account_key("router").limit_key
            await work.parkings.add(a_parking(kind=ParkingKind.BUDGET, key=key, wake_at=None))
            await work.sessions.add(a_session("s2"))
            await work.turns.add(a_turn("t2", "s2", status=Status.PARKED))
            refused = LimitKey("router", "f1", None)
            quota = a_limit(refused, outcome=Outcome.QUOTA_EXHAUSTED, not_before=later(99))
            await work.limits.put(quota)
            parking = a_parking("p2", turn_id="t2", session_id="s2", key=refused)
            await work.parkings.add(parking)
        (line,) = (await shell("budgets", "--json")).json
        assert line["asleep"] == ["s1", "s2"]
        empty = (await shell("budgets", "ask", "--json")).json
        assert empty["woken"] == 0
        assert empty["accounts"][0]["never_resets"] is True
        provider.documents["/api/v1/key"] = left(0, limit=None, reset=None)
        provider.documents["/api/v1/key"].body["data"]["limit_remaining"] = None
        filled = (await shell("budgets", "ask", "--json")).json
        assert filled["woken"] == 2
        assert (await shell("limits", "--json")).json == []
        assert filled["accounts"][0]["unlimited"] is True
        assert filled["accounts"][0]["left_usd"] is None
        async with shell.records() as work:
            for parking in await work.parkings.all_open():
                assert parking.wake_at is not None
                assert parking.wake_at < SystemClock().now()
        assert "none" in (await shell("budgets")).out


async def test_a_provider_that_is_not_understood_is_said_in_budgets_and_doctor(tmp_path) -> None:
    """A line each, without anything of the answer; what was known before is not shown as now."""
    async with Provider() as provider:
        provider.documents["/api/v1/key"] = left(3)
        shell = Shell(tmp_path, served(provider.openai_url), ROUTER_KEY=KEY)
        unasked = (await shell("budgets", "--json")).json[0]
        assert (unasked["asked_at"], unasked["left_usd"], unasked["trouble"]) == (None, None, None)
        assert "not asked yet" in (await shell("budgets")).out
        await shell("budgets", "ask")
        good = (await shell("doctor", "--json")).json
        (finding,) = [one for one in good["findings"] if one["about"] == "account of router"]
        assert finding["level"] == "ok"
        assert "$3.00 of $5.00 left until" in finding["sentence"]
        provider.documents["/api/v1/key"] = Reply(status=401, body=f"no such key {KEY}")
        asked = await shell("budgets", "ask")
        assert "answered 401: it does not take the key" in asked.err
        (line,) = (await shell("budgets", "--json")).json
        assert (line["usd"], line["left_usd"], line["unlimited"]) == (None, None, None)
        assert "answered 401" in line["trouble"]
        assert line["answered_at"] is not None
        table = await shell("budgets")
        assert "only Noctule's own budgets count" in table.err
        assert "$?" in table.out
        bad = (await shell("doctor", "--json")).json
        (finding,) = [one for one in bad["findings"] if one["about"] == "account of router"]
        assert finding["level"] == "warning"
        assert "answered 401" in finding["sentence"]
        assert "endpoints.router.account" in finding["fix"]


async def test_looking_at_accounts_stays_light(tmp_path) -> None:
    """No graph and no client is loaded to show what is stored."""
    shell = Shell(tmp_path, served("http://127.0.0.1:9/v1"), ROUTER_KEY=KEY)
    assert not SILENT & await shell.loaded("budgets")


async def test_without_an_account_there_is_nobody_to_ask(tmp_path) -> None:
    """It says how to set one."""
    config = served("http://127.0.0.1:9/v1").replace(", account: openrouter", "")
    shell = Shell(tmp_path, config, ROUTER_KEY=KEY)
    assert "No endpoint has an account" in (await shell("budgets", "ask")).out
    assert (await shell("budgets", "ask", "--json")).json == {"accounts": [], "woken": 0}
