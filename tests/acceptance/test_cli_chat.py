import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from noctule.core.sessions.lifecycle import Status
from tests.support.command_line import ROLES, CommandLine, wait_until

pytestmark = pytest.mark.process

SLOW = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
REFUSED = {"status": 429, "headers": {"Retry-After": "3600"}, "body": "come back later"}


@pytest.fixture
def noctule(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


async def turns_of(noctule: CommandLine, session_id: str):
    database = await noctule.database()
    try:
        async with database.read() as work:
            return await work.turns.of_session(session_id)
    finally:
        await database.close()


async def only_session(noctule: CommandLine) -> str:
    database = await noctule.database()
    try:
        async with database.read() as work:
            (session,) = await work.sessions.list()
    finally:
        await database.close()
    return session.id


def test_one_turn_is_answered_on_stdout(noctule):
    """With TEXT the reply, and nothing else, is on stdout; the footer is beside it on stderr."""
    noctule.play({"smol": [{"match": "hello", "reply": "Good **evening**!\n\n- a\n- b"}]})
    done = noctule.run("chat", "hello")
    assert (done.returncode, done.stdout) == (0, "Good **evening**!\n\n- a\n- b\n")
    footer, go_on = done.stderr.splitlines()
    assert footer.startswith("chat · smol · $0.00 · ")
    assert "noctule chat --session" in go_on


def test_the_footer_can_be_switched_off(noctule):
    """With ``footer: false`` nothing stands beside a reply."""
    noctule.play({"smol": []}, footer=False)
    done = noctule.run("chat", "hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_json_is_the_document_of_the_contract(noctule):
    """``--json`` prints the turn, its route and its attempts, with the names scripts rely on."""
    noctule.play({"smol": [{"match": ".", "reply": "Well."}]})
    code, told = noctule.json("chat", "write a function in python")
    assert code == 0
    assert (told["status"], told["reply"], told["cost_usd"]) == ("done", "Well.", 0)
    assert told["wake_at"] is None
    assert {"role", "by", "reason", "complexity"} <= told["route"].keys()
    assert (told["route"]["role"], told["route"]["by"]) == ("engineer", "rule")
    (attempt,) = told["attempts"]
    assert (attempt["role"], attempt["model"], attempt["outcome"]) == (
        "engineer",
        "smol",
        "success",
    )
    wanted = "wait_s first_token_s duration_s input_tokens output_tokens cached_tokens cost_usd"
    assert {*wanted.split(), "cost_source", "fallback_from", "skipped"} <= attempt.keys()


def test_an_unknown_cost_is_null(noctule):
    """A reply whose cost nobody knows makes the turn's cost null, not 0."""
    noctule.play({"smol": [{"match": ".", "reply": "Well."}]}, endpoint={"local": False})
    code, told = noctule.json("chat", "hello")
    assert (code, told["cost_usd"], told["attempts"][0]["cost_usd"]) == (0, None, None)
    assert " · unknown cost · " in noctule.run("chat", "hello").stderr


def test_a_message_may_come_from_standard_input(noctule):
    """``-`` and input that is no terminal are the message, line ends and all."""
    noctule.play({"smol": []})
    text = "hello\nwith äöü and 蝙蝠"
    for words in (["chat", "-"], ["chat"]):
        done = noctule.run(*words, stdin=text + "\n")
        assert (done.returncode, done.stdout) == (0, text + "\n")


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "empty"), (b"caf\xe9", "not UTF-8"), (b"a" * 2_000_000, "max_message_bytes")],
    ids=["empty", "latin-1", "2 MB"],
)
def test_standard_input_that_is_no_message_is_refused(noctule, data, said):
    """Empty, broken and huge input end with 2 and one sentence, and leave no session behind."""
    noctule.play({"smol": []})
    done = noctule.run("chat", stdin=data)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["chat", "hi", "--model", "gpt"], "smol"),
        (["chat", "hi", "--role", "boss"], "engineer"),
        (["chat", "hi", "--session", "no-such"], "noctule sessions"),
        (["chat", "  "], "empty"),
        (["chat", "caf\udce9"], "UTF-8"),
    ],
    ids=["model", "role", "session", "empty", "broken text"],
)
def test_words_that_do_not_fit_end_with_2(noctule, words, named):
    """A model, role or session that does not exist is said with what there is instead."""
    noctule.play({"smol": []})
    done = noctule.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_role_and_model_are_obeyed(noctule):
    """``--role`` and ``--model`` decide who answers, and the route says so."""
    noctule.play({"smol": [], "other": []})
    code, told = noctule.json("chat", "hello", "--role", "writer", "--model", "other")
    assert (code, told["route"]["role"], told["route"]["by"]) == (0, "writer", "forced")
    assert [attempt["model"] for attempt in told["attempts"]] == ["other"]


def test_private_stays_on_local_models(noctule):
    """``--private`` never reaches a model that is not local, and says what to do."""
    noctule.play({"smol": []}, endpoint={"local": False})
    done = noctule.run("chat", "hello", "--private")
    assert (done.returncode, done.stdout) == (1, "")
    assert "local" in done.stderr
    assert noctule.calls() == []


async def test_a_session_goes_on(noctule):
    """``--session`` takes the beginning of an id, and the model is sent what was said before."""
    noctule.play({"smol": []})
    _, first = noctule.json("chat", "hello there")
    code, second = noctule.json("chat", "hello again", "--session", first["session"])
    assert (code, second["session"]) == (0, first["session"])
    tokens = [told["attempts"][-1]["input_tokens"] for told in (first, second)]
    assert tokens[1] > tokens[0]
    turns = await turns_of(noctule, first["session"])
    assert [turn.text for turn in turns] == ["hello there", "hello again"]


def test_a_fallback_is_told_in_the_footer(noctule):
    """When the primary refuses, the fallback answers and the footer says why."""
    noctule.play(
        {"smol": [{"match": ".", "error": REFUSED}], "other": [{"match": ".", "reply": "I do."}]}
    )
    done = noctule.run("chat", "hello")
    assert (done.returncode, done.stdout) == (0, "I do.\n")
    assert done.stderr.startswith("chat · other (smol rate limited) · $0.00 · ")


def test_text_that_was_given_up_is_taken_back(noctule):
    """What a model said before it broke is marked as taken back, and the next one starts clean."""
    noctule.play(
        {
            "smol": [{"match": ".", "reply": SLOW, "tear_after": 4, "per_token": "150ms"}],
            "other": [{"match": ".", "reply": "All of it."}],
        }
    )
    done = noctule.run("chat", "hello")
    assert done.returncode == 0
    begun, taken_back, reply = done.stdout.splitlines()
    assert begun.startswith("one two")
    assert taken_back.startswith("[discarded: ")
    assert reply == "All of it."


def test_two_roles_speak_under_their_names(noctule):
    """In a plan every role's text stands under its name, once."""
    noctule.play(
        {
            "smol": [
                {"system": "You are a writer", "reply": "A text."},
                {"match": ".", "reply": "A fact."},
            ]
        }
    )
    done = noctule.run("chat", "@research @writer bats")
    assert done.returncode == 0
    assert done.stdout == "research:\nA fact.\n\nwriter:\nA text.\n\n"
    assert "plan: " in done.stderr
    assert "research, writer · smol" in done.stderr


def test_a_refusal_without_fallback_parks(noctule):
    """A turn nobody may answer yet ends with 75, says until when, and costs nothing more."""
    noctule.play({"smol": [{"match": ".", "error": REFUSED}]})
    code, told = noctule.json("chat", "hello")
    assert (code, told["status"], told["reply"]) == (75, "parked", None)
    assert told["wake_at"].endswith("+00:00")
    assert "come back later" in told["error"]

    code, second = noctule.json("chat", "and this?", "--session", told["session"])
    assert (code, second["status"], second["attempts"]) == (75, "queued", [])
    done = noctule.run("chat", "and that?", "--session", told["session"])
    assert (done.returncode, done.stdout) == (75, "")
    assert "behind an earlier message that is parked until" in done.stderr


def test_a_failure_is_a_sentence(noctule):
    """What waiting does not cure ends with 1 and says who must do what."""
    noctule.play({"smol": [{"match": ".", "error": {"status": 401, "body": "bad key"}}]})
    code, told = noctule.json("chat", "hello")
    assert (code, told["status"]) == (1, "failed")
    assert "key" in told["error"]
    done = noctule.run("chat", "hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert "key" in done.stderr


def test_without_ollama_it_says_what_else_there_is(noctule):
    """With only Ollama configured and none running, ``noctule init`` and the demo are named."""
    noctule.configure(
        {
            "endpoints": {"local": {"kind": "ollama", "url": "http://127.0.0.1:9"}},
            "models": {"qwen": {"endpoint": "local", "name": "qwen3.5", "context": 8000}},
            "roles": {role: {"primary": "qwen"} for role in ROLES},
        }
    )
    done = noctule.run("chat", "hello")
    assert done.returncode in {1, 75}
    assert done.stdout == ""
    for named in ("http://127.0.0.1:9", "noctule init", "noctule demo"):
        assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_costs_no_reply(noctule):
    """When nobody reads stdout any more the turn is still answered and stored."""
    noctule.play({"smol": [{"match": ".", "reply": SLOW}]})
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "noctule", "chat", "hello", "--role", "chat"],
        cwd=noctule.folder,
        env=noctule.env,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    os.close(writing)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert [call["outcome"] for call in noctule.calls() if call["event"] == "end"] == ["reply"]


async def test_a_kill_in_the_middle_of_a_reply_loses_nothing_said(noctule):
    """After ``kill -9`` while a reply streams, the next chat first ends that turn, then its own."""
    noctule.play(
        {
            "smol": [
                {"match": "^first", "reply": "All well."},
                {"match": "^second", "reply": SLOW, "per_token": "200ms"},
                {"match": "^third", "reply": "Third."},
            ]
        }
    )
    _, told = noctule.json("chat", "first", "--role", "chat")
    session = told["session"]
    process = noctule.start("chat", "second", "--role", "chat", "--session", session)
    assert process.stdout is not None
    assert process.stdout.read(3) == "one"
    process.kill()
    process.communicate(timeout=60)

    before = await turns_of(noctule, session)
    assert [turn.status for turn in before] == [Status.DONE, Status.RUNNING]
    assert before[0].reply == "All well."
    done = noctule.run("chat", "third", "--role", "chat", "--session", session)
    assert (done.returncode, done.stdout) == (0, "Third.\n")
    assert "an earlier message" in done.stderr
    assert SLOW in done.stderr
    after = await turns_of(noctule, session)
    assert [turn.reply for turn in after] == ["All well.", SLOW, "Third."]


async def test_ctrl_c_stops_the_turn_and_keeps_what_was_said(noctule):
    """One Ctrl-C while a reply streams cancels the turn, ends with 1, and the session goes on."""
    noctule.play(
        {
            "smol": [
                {"match": "^slow", "reply": SLOW, "per_token": "300ms"},
                {"match": ".", "reply": "Here."},
            ]
        }
    )
    process = noctule.start("chat", "slow", "--role", "chat")
    assert process.stdout is not None
    assert process.stdout.read(3) == "one"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Stopped. What was said stays" in told
    assert "Traceback" not in told
    session = await only_session(noctule)
    (turn,) = await turns_of(noctule, session)
    assert turn.status is Status.CANCELLED
    done = noctule.run("chat", "more", "--role", "chat", "--session", session)
    assert (done.returncode, done.stdout) == (0, "Here.\n")
    assert noctule.calls()[1]["outcome"] == "cancelled"


async def test_ctrl_c_under_json_still_prints_the_document(noctule):
    """Ctrl-C under ``--json`` ends with 1 and the document of a cancelled turn."""
    noctule.play({"smol": [{"match": ".", "reply": SLOW, "per_token": "300ms"}]})
    process = noctule.start("chat", "slow", "--role", "chat", "--json")
    wait_until(lambda: bool(noctule.calls()))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(out)["status"] == "cancelled"


def test_a_second_ctrl_c_leaves_at_once(noctule):
    """Two Ctrl-C, one right after the other, end the process without waiting for anything."""
    noctule.play({"smol": [{"match": ".", "reply": SLOW, "stall_after": 2}]})
    process = noctule.start("chat", "slow", "--role", "chat")
    assert process.stdout is not None
    assert process.stdout.read(3) == "one"
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in told


async def test_two_commands_share_a_session_in_order(noctule):
    """A second chat on a busy session waits for the first, sees it finish, then has its turn."""
    noctule.play(
        {
            "smol": [
                {"match": "^slow", "reply": SLOW, "per_token": "300ms"},
                {"match": ".", "reply": "Next."},
            ]
        }
    )
    first = noctule.start("chat", "slow", "--role", "chat")
    assert first.stdout is not None
    assert first.stdout.read(3) == "one"
    session = await only_session(noctule)
    second = noctule.run("chat", "next", "--role", "chat", "--session", session)
    rest, _ = first.communicate(timeout=60)
    assert (first.returncode, "one" + rest) == (0, SLOW + "\n")
    assert (second.returncode, second.stdout) == (0, "Next.\n")
    assert "fifteen" in second.stderr
    turns = await turns_of(noctule, session)
    assert [turn.status for turn in turns] == [Status.DONE, Status.DONE]


def test_without_a_terminal_and_without_words_it_asks_for_some(noctule):
    """``chat --json`` without a message says how to give one."""
    noctule.play({"smol": []})
    code, told = noctule.json("chat")
    assert code == 2
    assert "empty" in told["error"]
