from pathlib import Path

import pytest

from noctule.core.sessions.lifecycle import Status
from tests.support.command_line import CommandLine
from tests.support.terminal import Terminal, terminal

pytestmark = pytest.mark.process

SLOW = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


@pytest.fixture
def noctule(tmp_path: Path) -> CommandLine:
    noctule = CommandLine(tmp_path)
    noctule.play(
        {
            "smol": [
                {"match": "^slow", "reply": SLOW, "per_token": "300ms"},
                {"match": "^hello", "reply": "Good **evening** to you."},
                {"match": "^steer", "reply": "red \x1b[31mtext\x1b]0;title\x07 is plain"},
                {"match": "first line\nsecond line", "reply": "Two lines, then."},
                {"match": ".", "reply": "Said so."},
            ]
        }
    )
    return noctule


def open_chat(noctule: CommandLine, *words: str):
    return terminal(["chat", *words], env=noctule.env, cwd=noctule.folder)


def leave(shell: Terminal) -> str:
    """Leave with Ctrl-D; return the session it names."""
    shell.wait_for(">")
    shell.type("\x04")
    shell.wait_for("--session")
    assert shell.ended() == 0
    return shell.shown.partition("Session ")[2].partition(".")[0]


async def replies(noctule: CommandLine, session_id: str):
    database = await noctule.database()
    try:
        async with database.read() as work:
            turns = await work.turns.of_session(session_id)
    finally:
        await database.close()
    return [(turn.text, turn.status, turn.role) for turn in turns]


async def test_a_person_talks_until_they_leave(noctule):
    """Messages go to one session, commands change who answers, Ctrl-D says how to go on."""
    with open_chat(noctule) as shell:
        shell.wait_for("/help")
        shell.wait_for(">")
        shell.type("hello\r")
        shell.wait_for("Good evening to you.")
        shell.wait_for("chat · smol · $0.00")
        shell.wait_for(">")
        shell.type("/role writer\r")
        shell.wait_for("writer answers from now on.")
        shell.wait_for("writer>")
        shell.type("\x1b[200~first line\nsecond line\x1b[201~")
        shell.wait_for("second line")
        shell.type("\r")
        shell.wait_for("Two lines, then.")
        shell.wait_for("writer · smol")
        shell.type("/why\r")
        shell.wait_for("decided by forced")
        shell.wait_for("asked smol: success")
        shell.wait_for(">")
        shell.type("/role boss\r")
        shell.wait_for("There is no role 'boss'.")
        shell.wait_for(">")
        shell.type("/sleep\r")
        shell.wait_for("There is no /sleep;")
        session = leave(shell)
    assert await replies(noctule, session) == [
        ("hello", Status.DONE, None),
        ("first line\nsecond line", Status.DONE, "writer"),
    ]
    history = noctule.home / "history"
    assert "hello" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


async def test_ctrl_c_stops_a_reply_and_returns_to_the_prompt(noctule):
    """Ctrl-C while a reply streams cancels that turn; the next message is answered."""
    with open_chat(noctule, "--role", "chat") as shell:
        shell.wait_for(">")
        shell.type("slow\r")
        shell.wait_for("one two")
        shell.interrupt()
        shell.wait_for("Stopped. What was said stays")
        shell.wait_for(">")
        shell.type("hello\r")
        shell.wait_for("Good evening")
        shell.wait_for("$0.00")
        session = leave(shell)
    assert await replies(noctule, session) == [
        ("slow", Status.CANCELLED, "chat"),
        ("hello", Status.DONE, "chat"),
    ]


def test_ctrl_c_at_the_prompt_clears_then_leaves(noctule):
    """Ctrl-C empties what is typed; on an empty line it leaves, with 0 and without a session."""
    with open_chat(noctule) as shell:
        shell.wait_for(">")
        shell.type("half a thought")
        shell.wait_for("thought")
        shell.type("\x03")
        shell.type("\x03")
        assert shell.ended() == 0
        assert "Session" not in shell.shown
        assert "Traceback" not in shell.shown


def test_a_model_cannot_steer_the_terminal(noctule):
    """Escape sequences in a reply lose what makes them work."""
    with open_chat(noctule, "steer", "--role", "chat") as shell:
        assert shell.ended() == 0
        assert b"\x1b]0;title" not in shell.raw
        assert b"\x1b[31m" not in shell.raw
        assert "red text is plain" in shell.shown


def test_an_unknown_session_is_said_before_anything_is_typed(noctule):
    """``chat --session`` with a name that does not exist ends with 2 at once."""
    with open_chat(noctule, "--session", "no-such") as shell:
        assert shell.ended() == 2
        assert "There is no session 'no-such'" in shell.shown


async def test_a_short_sleep_is_waited_out_at_the_terminal(noctule):
    """A one-shot message refused for seconds counts down, already parked, and is answered."""
    refusal = {"status": 429, "headers": {"retry-after": "9"}, "body": "slow down"}
    noctule.play(
        {"smol": [{"match": ".", "error": refusal, "times": 1}, {"match": ".", "reply": "Back."}]}
    )
    with open_chat(noctule, "hello") as shell:
        shell.wait_for("Sleeps")
        shell.wait_for("resumes in")
        shell.wait_for("Back.")
        assert shell.ended() == 0
    noctule.play({"smol": [{"match": ".", "error": refusal}]})
    with open_chat(noctule, "hello") as shell:
        shell.wait_for("resumes in")
        shell.interrupt()
        assert shell.ended() == 75
        assert "wakes by itself while `noctule serve` runs" in " ".join(shell.shown.split())
    assert noctule.run("limits", "clear").returncode == 0  # the short one may still hold
    refusal["headers"] = {"retry-after": "90"}
    noctule.play({"smol": [{"match": ".", "error": refusal}]})
    with open_chat(noctule, "hello") as shell:
        assert shell.ended() == 75
        assert "resumes in" not in shell.shown
