import pytest

from noctule.core.sessions.lifecycle import Status
from tests.support.shell import SILENT, Shell
from tests.support.small_config import CONFIG
from tests.support.stored_records import a_session, a_turn

pytestmark = pytest.mark.process


@pytest.fixture
async def shell(tmp_path):
    shell = Shell(tmp_path, CONFIG)
    async with shell.records() as work:
        await work.sessions.add(a_session("s1"))
        await work.turns.add(a_turn("t1", status=Status.DONE, reply="Hello."))
        await work.sessions.add(a_session("s2"))
        await work.turns.add(a_turn("t2", "s2", status=Status.FAILED, error="nobody"))
    return shell


async def test_a_verdict_is_kept_and_can_be_changed(shell):
    """The verdict of a turn, or of a session's newest reply, shows in `sessions show`."""
    rated = await shell("rate", "t1", "good", "--json")
    assert (rated.code, rated.json) == (0, {"turn": "t1", "session": "s1", "verdict": "good"})
    assert (await shell("rate", "s1", "bad")).code == 0
    (turn,) = (await shell("sessions", "show", "s1", "--json")).json["turns"]
    assert turn["verdict"] == "bad"


async def test_what_has_no_reply_cannot_be_rated(shell):
    """A failed turn, an unknown one and an unknown word are usage errors in a sentence."""
    failed = await shell("rate", "t2", "good")
    assert (failed.code, "has no reply to rate: it is failed" in failed.err) == (2, True)
    assert (await shell("rate", "nobody", "good")).code == 2
    assert (await shell("rate", "t1", "great")).code == 2


async def test_rating_loads_no_graph(shell):
    """Neither LangGraph nor LangChain nor a client is imported."""
    assert not await shell.loaded("rate", "t1", "good") & SILENT
