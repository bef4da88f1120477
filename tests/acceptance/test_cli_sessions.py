import asyncio
import json
import re
import signal

import pytest

from noctule.core.base.roles import Role
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import ParkingKind
from noctule.core.sessions.sessions import SessionKind
from tests.support.command_line import wait_until
from tests.support.provider import Provider, Reply
from tests.support.shell import SILENT, Shell
from tests.support.small_config import CONFIG, served_at
from tests.support.stored_records import NOON, a_parking, a_session, a_turn, an_attempt, later

pytestmark = pytest.mark.process
LIMIT = {"Retry-After": "3600"}


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path, CONFIG)


async def parked(shell):
    """Put a session in whose second turn sleeps on a limit, and a message queued behind it."""
    async with shell.records() as work:
        await work.sessions.add(a_session("s1", title="Bats"))
        done = a_turn("t1", text="Hi", status=Status.DONE, reply="Hello.")
        asleep = a_turn("t2", text="Go on", status=Status.PARKED, wake_at=later(60))
        await work.turns.add(done)
        await work.turns.add(asleep)
        await work.turns.add(a_turn("t3", text="And then?"))
        route = Route((Role.WRITER,), Complexity.SIMPLE, DecidedBy.RULE, "mentions @writer")
        await work.routes.put("t2", route)
        await work.parkings.add(a_parking("p1", "t2"))
        await work.attempts.add(an_attempt(turn_id="t2"))


async def test_an_empty_home_says_how_to_begin(shell):
    """Without sessions people get a sentence, programs an empty list; nothing is an error."""
    said, listed = await shell("sessions"), await shell("sessions", "--json")
    assert (said.code, said.out) == (0, "No sessions yet. `noctule chat` starts one.\n")
    assert (listed.code, listed.json) == (0, [])
    missing = await shell("sessions", "show", "x", "--json")
    assert missing.code == 2
    assert "There is no session 'x'" in missing.json["error"]


async def test_a_session_shows_its_oldest_unfinished_turn(shell):
    """Status and wake time are those of the oldest unfinished turn, not of the latest."""
    await parked(shell)
    (entry,) = (await shell("sessions", "--json")).json
    expected = {
        "id": "s1",
        "status": "parked",
        "title": "Bats",
        "owner": "local",
        "wake_at": "2026-11-22T13:01:00.123456+01:00",
        "cost_usd": 0.000123456,
        "turns": 3,
    }
    assert {key: entry[key] for key in expected} == expected
    page = await shell("sessions")
    assert "parked" in page.out
    assert "Bats" in page.out
    assert (
        page.err == "Parked sessions will not wake: no worker is running. Start `noctule serve`.\n"
    )


async def test_show_has_the_turns_and_what_it_sleeps_on(shell):
    """The keys are session, status, wake_at, turns, and parking with reason, evidence, tried."""
    await parked(shell)
    shown = (await shell("sessions", "show", "s", "--json")).json
    assert (shown["session"], shown["status"]) == ("s1", "parked")
    assert shown["wake_at"] == "2026-11-22T13:01:00.123456+01:00"
    parking = shown["parking"]
    assert (parking["reason"], parking["evidence"]) == ("slow down", "header")
    assert parking["tried"] == ["haiku: rate_limited", "qwen: cannot call tools"]
    brief = [(t["id"], t["status"], t["text"], t["reply"]) for t in shown["turns"]]
    assert brief == [
        ("t1", "done", "Hi", "Hello."),
        ("t2", "parked", "Go on", None),
        ("t3", "queued", "And then?", None),
    ]
    assert shown["turns"][1]["route"]["by"] == "rule"
    page = (await shell("sessions", "show", "s1")).out
    for words in ("Bats", "parked until", "tried: haiku: rate_limited", "> Go on", "Hello."):
        assert words in page


async def test_a_session_that_does_not_sleep_has_no_parking(shell):
    """parking is null when nothing is waited for; a turn that asks its person says what."""
    async with shell.records() as work:
        await work.sessions.add(a_session("s1"))
        await work.turns.add(a_turn("t1", status=Status.DONE, reply="Hello."))
        await work.sessions.add(a_session("s2"))
        asks = a_turn("t2", "s2", status=Status.WAITING, error="Model gone is not there.")
        await work.turns.add(asks)
    assert (await shell("sessions", "show", "s1", "--json")).json["parking"] is None
    parking = (await shell("sessions", "show", "s2", "--json")).json["parking"]
    assert parking["reason"] == "Model gone is not there."
    assert (parking["evidence"], parking["tried"]) == (None, [])


async def test_show_says_what_became_of_a_run(shell):
    """Under each ended turn: parked when and how long, repeated, cost, saved; JSON alike."""
    async with shell.records() as work:
        await work.sessions.add(a_session("s1", kind=SessionKind.RUN))
        done = a_turn("t1", status=Status.DONE, reply="Hello.", ended_at=later(90))
        await work.turns.add(done)
        await work.turns.add(a_turn("t2"))
        told = {"status": "parked", "wake_at": later(60).isoformat(), "sentence": "slow down"}
        await work.events.append("s1", "t1", [(EventKind.PARKED, told)], at=NOON)
        await work.events.append("s1", "t1", [(EventKind.WOKEN, {"slept_s": 61})], at=later(61))
        await work.attempts.add(an_attempt(model="small"))
    page = (await shell("sessions", "show", "s1")).out
    assert "Parked 13:00:00 for 1 min, woken 13:01:01; 0 repeated; cost $0.00012, saved" in page
    assert "against all of it on large" in page
    turns = (await shell("sessions", "show", "s1", "--json")).json["turns"]
    assert turns[0]["report"]["slept_s"] == 61
    assert turns[0]["report"]["baseline"]["model"] == "large"
    assert turns[1]["report"] is None


async def test_cancel_ends_what_rests_and_resume_has_nothing_then(shell):
    """Cancelling needs no worker; afterwards there is nothing to resume, cancel or park."""
    await parked(shell)
    cancelled = await shell("sessions", "cancel", "s1", "--json")
    assert cancelled.code == 0
    assert cancelled.json == {
        "session": "s1",
        "turns": [{"id": "t2", "status": "cancelled"}, {"id": "t3", "status": "cancelled"}],
    }
    assert "Nothing to cancel" in (await shell("sessions", "cancel", "s1")).out
    resumed = await shell("sessions", "resume", "s1")
    assert (resumed.code, "nothing to resume" in resumed.err) == (2, True)
    stopped = await shell("sessions", "park", "s1", "--json")
    assert (stopped.code, "only a running one" in stopped.json["error"]) == (2, True)


async def test_the_log_tells_the_steps_in_order(shell):
    """Every event but the pieces of text is a line; programs get one list in the same order."""
    async with shell.records() as work:
        await work.sessions.add(a_session("s1"))
        await work.turns.add(a_turn("t1", status=Status.DONE, reply="Hello."))
        told = [
            (EventKind.TURN_QUEUED, {"text": "Hi"}),
            (EventKind.DELTA, {"attempt": "a1", "role": "chat", "text": "Hel"}),
            (EventKind.ATTEMPT_ENDED, {**an_attempt().as_json(), "attempt": "a1"}),
            (
                EventKind.PARKED,
                {
                    "status": "parked",
                    "wake_at": later(60).isoformat(),
                    "sentence": "slow down",
                    "evidence": "header",
                    "tried": ["haiku: rate_limited"],
                },
            ),
            (EventKind.WOKEN, {"reason": "slow down", "slept_s": 61.0}),
            (EventKind.TURN_ENDED, {"status": "done", "role": "chat", "reply": "Hello.\nBye."}),
        ]
        await work.events.append("s1", "t1", told, at=NOON)
    listed = (await shell("sessions", "log", "s1", "--json")).json
    assert [event["kind"] for event in listed] == [
        "turn_queued",
        "attempt_ended",
        "parked",
        "woken",
        "turn_ended",
    ]
    assert [event["seq"] for event in listed] == [1, 3, 4, 5, 6]
    assert listed[0]["at"] == "2026-11-22T13:00:00.123456+01:00"
    page = await shell("sessions", "log", "s1", "--follow")
    assert page.code == 0
    for words in (
        "writer · haiku · success · 1.8 s · $0.00012 (instead of opus; coder busy 2 s)",
        "parked   until 2026-11-22 13:01:00 CET (header): slow down",
        "woke     after 1 min",
        "Bye.",
    ):
        assert words in page.out
    last = page.out.splitlines()[-1]
    assert last == "Parked 13:00:00 for 0.0 s, woken 13:00:00; 0 repeated; cost $0.00."


async def test_lists_and_the_log_load_no_graph(shell):
    """Neither LangGraph nor LangChain nor a client is imported to read."""
    await parked(shell)
    for words in (("sessions", "--json"), ("sessions", "show", "s1"), ("sessions", "log", "s1")):
        assert not await shell.loaded(*words) & SILENT


async def test_a_refused_session_parks_and_resume_goes_on_from_there(tmp_path):
    """resume wakes a parked turn now, without a worker works it off, and ends with its code."""
    async with Provider() as provider:
        provider.enqueue(Reply.refusal(429, headers=LIMIT), Reply(text="There you are."))
        shell = Shell(tmp_path, served_at(provider.openai_url))
        asked = await shell("chat", "@writer a line, please", "--json")
        assert (asked.code, asked.json["status"]) == (75, "parked")
        session = asked.json["session"]
        shown = (await shell("sessions", "show", session, "--json")).json
        assert shown["parking"]["evidence"] == "header"
        assert shown["parking"]["tried"]
        cleared = await shell("limits", "clear", "--json")
        assert cleared.json == {"cleared": 1}
        resumed = await shell("sessions", "resume", session, "--json")
    assert (resumed.code, resumed.json["status"]) == (0, "done"), resumed
    assert resumed.json["reply"] == "There you are."
    assert len(provider.requests) == 2


async def test_resume_says_at_its_end_how_long_it_slept(tmp_path):
    """The line of a run stands under the reply: parked, woken, repeated, cost."""
    async with Provider() as provider:
        provider.enqueue(Reply.refusal(429, headers=LIMIT), Reply(text="There you are."))
        shell = Shell(tmp_path, served_at(provider.openai_url))
        asked = await shell("chat", "@writer a line, please", "--json")
        await shell("limits", "clear")
        resumed = await shell("sessions", "resume", asked.json["session"])
    assert (resumed.code, "There you are." in resumed.out) == (0, True)
    assert re.search(r"\nParked \S+ for .*, woken \S+; 0 repeated; cost \$", "\n" + resumed.err)


async def test_resume_asks_again_what_still_refuses(tmp_path):
    """A provider that still refuses parks the turn again: exit code 75, one request at most."""
    async with Provider(default=Reply.refusal(429, headers=LIMIT)) as provider:
        shell = Shell(tmp_path, served_at(provider.openai_url))
        asked = await shell("chat", "@writer a line, please", "--json")
        resumed = await shell("sessions", "resume", asked.json["session"], "--json")
        assert (resumed.code, resumed.json["status"]) == (75, "parked")
        unknown = await shell(
            "sessions", "resume", asked.json["session"], "--model", "no", "--json"
        )
        assert (unknown.code, "There is no model 'no'" in unknown.json["error"]) == (2, True)
    assert len(provider.requests) == 2


async def test_a_running_session_is_parked_and_followed_from_outside(tmp_path):
    """Another process parks a call in the middle; its follower ends; only a person wakes it."""
    async with Provider() as provider:
        provider.enqueue(Reply(gate=asyncio.Event()))
        shell = Shell(tmp_path, served_at(provider.openai_url))
        with shell.running("chat", "@writer a long story", "--json") as working:
            await provider.until(lambda p: p.busy == 1, within=60)
            (entry,) = (await shell("sessions", "--json")).json
            with shell.running("sessions", "log", entry["id"], "--follow") as follower:
                parked = await shell("sessions", "park", entry["id"][:13], "--json")
                assert parked.json["turns"][0]["status"] == "parked", parked
                told, _ = await asyncio.to_thread(follower.communicate)
            assert (follower.returncode, "parked" in told) == (0, True)
            out, _ = await asyncio.to_thread(working.communicate)
            assert (working.returncode, json.loads(out)["status"]) == (75, "parked")
        shown = (await shell("sessions", "show", entry["id"], "--json")).json
        assert (shown["wake_at"], shown["parking"]["kind"]) == (None, ParkingKind.HAND)


async def test_a_running_session_is_cancelled_from_outside(tmp_path):
    """The order ends a call in the middle, whichever process works on it."""
    async with Provider() as provider:
        provider.enqueue(Reply(gate=asyncio.Event()))
        shell = Shell(tmp_path, served_at(provider.openai_url))
        with shell.running("chat", "@writer a long story", "--json") as working:
            await provider.until(lambda p: p.busy == 1, within=60)
            (entry,) = (await shell("sessions", "--json")).json
            ended = await shell("sessions", "cancel", entry["id"], "--json")
            assert ended.json["turns"][0]["status"] == "cancelled", ended
            await asyncio.to_thread(working.communicate)
            assert working.returncode == 1


async def test_what_a_killed_process_left_running_can_be_cancelled(tmp_path):
    """After kill -9 nobody works on the turn any more: cancel ends it all the same."""
    async with Provider() as provider:
        provider.enqueue(Reply(gate=asyncio.Event()))
        shell = Shell(tmp_path, served_at(provider.openai_url))
        with shell.running("chat", "@writer a long story", "--json") as working:
            await provider.until(lambda p: p.busy == 1, within=60)
            working.send_signal(signal.SIGKILL)
            await asyncio.to_thread(working.communicate)
        (entry,) = (await shell("sessions", "--json")).json
        assert entry["status"] == "running"
        ended = await shell("sessions", "cancel", entry["id"], "--json")
        assert [turn["status"] for turn in ended.json["turns"]] == ["cancelled"]
        assert len(provider.requests) == 1


async def test_what_a_killed_process_left_running_can_be_resumed(tmp_path):
    """After kill -9 the list says that nobody works on it, and resume works it off."""
    async with Provider(default=Reply(text="There you are.")) as provider:
        provider.enqueue(Reply(gate=asyncio.Event()))
        shell = Shell(tmp_path, served_at(provider.openai_url))
        with shell.running("chat", "@writer a long story", "--json") as working:
            await provider.until(lambda p: p.busy == 1, within=60)
            assert "was interrupted" not in (await shell("sessions")).err
            working.send_signal(signal.SIGKILL)
            await asyncio.to_thread(working.communicate)
        (entry,) = (await shell("sessions", "--json")).json
        listed = await shell("sessions")
        assert f"`noctule sessions resume {entry['id']}`" in listed.err
        resumed = await shell("sessions", "resume", entry["id"], "--json")
    assert (resumed.code, resumed.json["reply"]) == (0, "There you are."), resumed


async def test_a_living_worker_takes_over_what_is_resumed(tmp_path):
    """With a worker running, resume returns at once and the worker answers."""
    async with Provider() as provider:
        provider.enqueue(Reply.refusal(429, headers=LIMIT), Reply(text="There you are."))
        shell = Shell(tmp_path, served_at(provider.openai_url))
        session = (await shell("chat", "@writer a line, please", "--json")).json["session"]
        with shell.running("worker") as worker:
            resumed = await _until_taken(shell, session)
            assert (resumed.code, resumed.json["session"]) == (0, session)
            followed = await shell("sessions", "log", session, "--follow")
            assert "There you are." in followed.out
            worker.send_signal(signal.SIGTERM)
            await asyncio.to_thread(worker.communicate)
    shown = (await shell("sessions", "show", session, "--json")).json
    assert shown["status"] == "done"


async def _until_taken(shell, session):
    """Resume once the worker holds the data folder."""
    lock = shell.home / "worker.lock"
    await asyncio.to_thread(wait_until, lambda: lock.exists() and '"worker"' in lock.read_text())
    return await shell("sessions", "resume", session, "--json")
