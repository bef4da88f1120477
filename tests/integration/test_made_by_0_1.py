from contextlib import asynccontextmanager
from typing import Any

import pytest

from graphs.checkpointers import open_saver
from noctule.bootstrap import checkpoints_url, open_runtime, open_worker
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Approval
from tests.support import made_by_0_1 as old
from tests.support.provider import Provider
from tests.support.rig import Rig

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]

NEVER = "36500d"


@pytest.fixture(params=["sqlite", "postgres"])
def left_behind(request, tmp_path):
    """Put what 0.1 left on one database in place; return the configuration's storage section."""
    home = tmp_path / "home"
    if request.param == "sqlite":
        old.open_data_folder(home)
        return {}
    url = request.getfixturevalue("postgres_url")
    old.open_postgres(url, home)
    return {"storage": {"url": url}}


@asynccontextmanager
async def opened(folder, provider, storage):
    """Open it under the configuration it was left under, as old as it may be."""
    bounds = {"waiting_expiry": NEVER, "longest_wait": NEVER}
    config = old.configuration(provider.openai_url, parking=bounds, **storage)
    async with Rig(folder, provider.openai_url, **config) as rig:
        yield rig


async def test_what_0_1_left_unfinished_is_finished_and_no_step_is_repeated(tmp_path, left_behind):
    """A parked role, an unanswered approval and half a tool loop go on where 0.1 was killed."""
    provider = Provider(decide=old.answer)
    async with provider, opened(tmp_path, provider, left_behind) as rig:
        async with rig.records.database.read() as work:
            turns = {turn.text: turn for turn in await work.turns.unfinished()}
            (before,) = await work.effects.of_session(turns[old.LOOP].session_id)
            (question,) = await work.questions.open()
        assert {text: turn.status for text, turn in turns.items()} == {
            old.TWO_ROLES: Status.PARKED,
            old.APPROVAL: Status.WAITING,
            old.LOOP: Status.RUNNING,
        }
        async with open_runtime(rig.records) as runtime, open_worker(runtime):
            await rig.until([turns[old.TWO_ROLES], turns[old.LOOP]], Status.DONE)
            assert (await rig.turn(turns[old.APPROVAL])).status is Status.WAITING
            await rig.records.service.answer(question.id, Approval.ONCE, by="local")
            await rig.until(turns[old.APPROVAL], Status.DONE)
        replies = [(await rig.turn(turns[text])).reply for text in turns]
        assert sorted(map(str, replies)) == [
            "Both are written.",
            "It is written.",
            "The moon in words.",
        ]
        # The research, the first call of the approval and the first half were done in 0.1.
        assert not [r for r in provider.requests if "the moon" in str(r.body) and r.model == "loop"]
        assert "Moon facts." in str(one(provider, "the moon").body)
        assert len([r for r in provider.requests if old.LOOP in str(r.body)]) == 2
        assert len([r for r in provider.requests if old.APPROVAL in str(r.body)]) == 1
        spaces = {text: rig.home / "workspaces" / turn.session_id for text, turn in turns.items()}
        found = {path.name: path.read_text() for path in spaces[old.LOOP].glob("*.txt")}
        assert found == {name: f"This is {name}.\n" for name in ("first.txt", "second.txt")}
        assert (spaces[old.APPROVAL] / "approved.txt").read_text() == "This is approved.txt.\n"
        async with rig.records.database.read() as work:
            after = await work.effects.of_session(turns[old.LOOP].session_id)
        assert before in after
        assert len(after) == 2


def one(provider, words):
    """Return the only request that holds some words."""
    (found,) = [request for request in provider.requests if words in str(request.body)]
    return found


async def test_a_turn_begun_under_another_version_waits_and_says_how_to_end_it(
    tmp_path, left_behind
):
    """What cannot be gone on from its step is neither run nor lost: it waits, and can be ended."""
    provider = Provider(decide=old.answer)
    async with provider, opened(tmp_path, provider, left_behind) as rig:
        async with rig.records.database.read() as work:
            (turn,) = await work.turns.running()
        await store_under_version(0, rig, turn.session_id)
        async with open_runtime(rig.records) as runtime:
            progress = await runtime.advancer.advance(turn.id)
            assert progress.turn.status is Status.WAITING
            assert "another version of Noctule" in str(progress.turn.error)
            assert provider.requests == []
            await rig.records.service.cancel(turn.session_id)
            assert (await runtime.advancer.advance(turn.id)).turn.status is Status.CANCELLED
            again = await rig.say("Once more.", turn.session_id, role="engineer")
            assert (await runtime.advancer.advance(again.id)).turn.status is Status.DONE


async def store_under_version(version, rig, session_id):
    """Make it a turn that a Noctule of another graph version began."""
    async with open_saver(checkpoints_url(rig.records)) as saver:
        stored = await saver.aget_tuple({"configurable": {"thread_id": session_id}})
        checkpoint = stored.checkpoint
        checkpoint["channel_values"]["graph_version"] = version
        versions: dict[str, Any] = checkpoint["channel_versions"]
        versions["graph_version"] = saver.get_next_version(versions["graph_version"], None)
        changed = {"graph_version": versions["graph_version"]}
        await saver.aput(stored.parent_config, checkpoint, stored.metadata, changed)
