import resource
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from noctule.core.llm.attempts import Purpose
from noctule.core.sessions.lifecycle import Status
from tests.support.provider import Provider, Reply
from tests.support.rig import CLOCK, Rig

pytestmark = pytest.mark.process

TOMORROW = CLOCK.now() + timedelta(days=1)


async def test_a_database_that_is_locked_for_ten_seconds_delays_and_loses_nothing(tmp_path):
    """Somebody else's write lock makes turns wait; each is then answered, with one call each."""
    provider = Provider(default=Reply(echo=True, between_tokens=0.3))
    async with provider, Rig(tmp_path, provider.openai_url) as rig, rig.serving():
        turns = [await rig.say(f"hello number {number}") for number in range(4)]
        await provider.until(lambda one: len(one.requests) == 4)
        with closing(sqlite3.connect(rig.home / "noctule.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await CLOCK.sleep(10)
            other.execute("ROLLBACK")
        await rig.until(turns, Status.DONE)
        assert len(provider.requests) == 4


async def test_a_full_disk_ends_no_worker_and_loses_nothing_stored(tmp_path):
    """While nothing can be written turns wait; with room again each is answered, asked once."""
    provider = Provider(default=Reply(text="word " * 2000))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        before = await rig.say("hello before")
        async with rig.serving() as serve:
            await rig.until(before, Status.DONE)
            turns = [await rig.say(f"hello {number}") for number in range(6)]
            files = [path.stat().st_size for path in rig.home.iterdir()]
            unlimited = resource.RLIM_INFINITY
            # What a full disk is to one process: files that cannot grow any further.
            resource.prlimit(serve.pid, resource.RLIMIT_FSIZE, (max(files), unlimited))
            turns += [await rig.say(f"hello {number}") for number in range(6, 12)]
            await CLOCK.sleep(6)
            assert serve.process.returncode is None
            resource.prlimit(serve.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
            await rig.until(turns, Status.DONE, Status.FAILED)
            assert {(await rig.turn(turn)).status for turn in turns} == {Status.DONE}
            assert (await rig.turn(before)).reply == "word " * 2000
            async with rig.records.database.read() as work:
                attempts = await work.attempts.list()
        answers = [attempt for attempt in attempts if attempt.purpose is not Purpose.PROBE]
        assert len(answers) == len(provider.requests) == 13
        said = "".join(serve.lines)
        assert "Traceback" not in said, said
        assert said.count("What is under way waits until then") == 1, said


@pytest.mark.parametrize("part", ["parking", "checkpoint"])
async def test_one_damaged_session_says_so_and_can_be_cancelled_while_others_go_on(tmp_path, part):
    """A stored row or checkpoint that cannot be read costs its own session alone."""
    provider = Provider(default=Reply(text="Good evening."))
    provider.enqueue(Reply.refusal(429, headers={"Retry-After": "6"}))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        turns = [await rig.say("hello one")]
        async with rig.serving():
            await rig.until(turns, Status.PARKED)
            turns += [await rig.say("hello two"), await rig.say("hello three")]
            await rig.until(turns, Status.PARKED)
            damage(rig, part, turns[1].session_id, turns[1].id)
            await rig.until([turns[0], turns[2]], Status.DONE)
            ill = await rig.until(turns[1], Status.FAILED)
            assert ill.error, ill
            await rig.say("hello after it", turns[1].session_id, not_before=TOMORROW)
            cancelled = await rig.start("sessions", "cancel", turns[1].session_id, "--json")
            code, _ = await cancelled.ended()
            assert code == 0, cancelled.lines
            async with rig.records.database.read() as work:
                assert await work.turns.oldest_unfinished(turns[1].session_id) is None
            fresh = await rig.say("hello four")
            await rig.until(fresh, Status.DONE)


def damage(rig: Rig, part: str, session_id: str, turn_id: str) -> None:
    """Spoil what is stored of a sleeping session."""
    if part == "parking":
        with closing(sqlite3.connect(rig.home / "noctule.db")) as database:
            database.execute("PRAGMA ignore_check_constraints=ON")
            changed = database.execute(
                "UPDATE parkings SET evidence = 'nonsense', tried = '{broken', parked_at = 'never'"
                " WHERE turn_id = ?",
                (turn_id,),
            )
            assert changed.rowcount == 1
            database.commit()
        return
    with closing(sqlite3.connect(rig.home / "checkpoints.db")) as database:
        changed = database.execute(
            "UPDATE checkpoint SET body = x'c1c1c1', channels = x'c1c1c1' WHERE namespace IN"
            " (SELECT namespace.key FROM namespace JOIN thread ON thread.key = namespace.thread"
            " WHERE thread.name = ?)",
            (session_id,),
        )
        assert changed.rowcount
        database.commit()


async def test_a_database_that_is_damaged_is_said_and_ends_the_worker(tmp_path):
    """No wait mends it: `serve` says so and ends with an error, at work and at its start."""
    provider = Provider(default=Reply(text="Good evening."))
    async with provider, Rig(tmp_path, provider.openai_url) as rig:
        serve = await rig.serve()
        await rig.until(await rig.say("hello"), Status.DONE)
        with (rig.home / "noctule.db").open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(0)
            file.write(b"\xa5" * size)
        (rig.home / "noctule.db-wal").write_bytes(b"")
        code, _ = await serve.ended()
        assert code == 1, serve.lines
        assert "damaged" in "".join(serve.lines)
        again = await rig.start("serve")
        code, _ = await again.ended()
        assert code == 1, again.lines
        assert "damaged" in "".join(again.lines)
        (rig.home / "noctule.db").unlink()
