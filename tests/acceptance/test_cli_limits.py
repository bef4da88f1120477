from datetime import timedelta

import pytest

from noctule.core.clock import SystemClock
from noctule.core.llm.limits import LimitKey
from tests.support.shell import SILENT, Shell
from tests.support.small_config import CONFIG
from tests.support.stored_records import a_limit

pytestmark = pytest.mark.process


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path, CONFIG)


async def refuse(shell):
    """Put in a limit in force, one that waits for a person, and one that is past."""
    now = SystemClock().now()
    async with shell.records() as work:
        timed = LimitKey("far", "f1", "large")
        await work.limits.put(a_limit(timed, not_before=now + timedelta(hours=1)))
        person = LimitKey("near", "", None)
        await work.limits.put(a_limit(person, not_before=None, evidence=None, reason="no credit"))
        past = LimitKey("far", "f1", "small")
        await work.limits.put(a_limit(past, not_before=now - timedelta(hours=1)))


async def test_nothing_refused_is_said(shell):
    """An empty home: a sentence for people, an empty list for programs."""
    assert (await shell("limits")).out == "No active rate limits.\n"
    assert (await shell("limits", "--json")).json == []
    assert "No rate limits to clear" in (await shell("limits", "clear")).out


async def test_what_is_refused_comes_with_its_evidence(shell):
    """Only limits in force are listed: endpoint, model, until, evidence, reason."""
    await refuse(shell)
    far, near = (await shell("limits", "--json")).json
    assert (far["endpoint"], far["model"], far["evidence"]) == ("far", "large", "header")
    assert far["until"].endswith("+01:00") or far["until"].endswith("+02:00")
    assert (near["model"], near["until"], near["reason"]) == (None, None, "no credit")
    table = (await shell("limits")).out
    for words in ("slow down", "all of its key", "you act", "no credit"):
        assert words in table


async def test_limits_are_forgotten_of_one_endpoint_or_all(shell):
    """`clear ENDPOINT` leaves the others, `clear` forgets all; an unknown name is refused."""
    await refuse(shell)
    wrong = await shell("limits", "clear", "nobody", "--json")
    assert (wrong.code, "Use one of: far, near" in wrong.json["error"]) == (2, True)
    assert (await shell("limits", "clear", "near", "--json")).json == {"cleared": 1}
    assert [limit["endpoint"] for limit in (await shell("limits", "--json")).json] == ["far"]
    both = await shell("limits", "clear", "far", "--all")
    assert (both.code, "contradict" in both.err) == (2, True)
    assert (await shell("limits", "clear", "--all")).code == 0
    assert (await shell("limits", "--json")).json == []


async def test_listing_loads_no_graph(shell):
    """Neither LangGraph nor LangChain nor a client is imported."""
    assert not await shell.loaded("limits", "--json") & SILENT
