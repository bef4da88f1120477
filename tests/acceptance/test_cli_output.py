"""What is written where: full devices, pipes, and what goes on meanwhile."""

from pathlib import Path

import pytest

from noctule.core.sessions.lifecycle import Status
from tests.support.command_line import CommandLine
from tests.support.terminal import terminal

pytestmark = pytest.mark.process

FULL = Path("/dev/full")
SLOW = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


@pytest.fixture
def noctule(tmp_path: Path) -> CommandLine:
    noctule = CommandLine(tmp_path)
    noctule.play(
        {
            "smol": [
                {"match": "^slow", "reply": SLOW, "per_token": "300ms"},
                {"match": "^late", "reply": "At last.", "delay": "7s"},
                {"match": ".", "reply": "Said so."},
            ]
        }
    )
    return noctule


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_said_as_that(noctule):
    """A full disk behind ``>`` is no bug of Noctule: one sentence, exit 1, with every buffering."""
    wrong = []
    for words, unbuffered in (
        (["sessions", "--json"], ""),
        (["--help"], "1"),
        (["chat", "hello"], ""),
    ):
        with FULL.open("wb") as full:
            done = noctule.run(*words, stdout=full, PYTHONUNBUFFERED=unbuffered)
        lines = done.stderr.strip().splitlines()
        told = [line for line in lines if "No space left on device" in line]
        if done.returncode != 1 or len(told) != 1 or "report" in done.stderr:
            wrong.append((words, unbuffered, done.returncode, done.stderr))
    assert not wrong


def test_a_pipe_says_what_goes_on_beside_it(noctule):
    """stderr tells a phase that takes long, once, and stdout holds the reply alone."""
    done = noctule.run("chat", "--role", "chat", "late")
    assert done.stdout == "At last.\n"
    assert [line for line in done.stderr.splitlines() if line.endswith("…")] == ["chat · smol …"]
    quick = noctule.run("chat", "--role", "chat", "hello")
    assert "…" not in quick.stderr


def test_progress_beside_a_pipe_is_redrawn_on_a_terminal(noctule):
    """With stderr on a terminal one line counts the seconds, and is gone when the reply comes."""
    out = noctule.folder / "out"
    with (
        out.open("wb") as file,
        terminal(
            ["chat", "--role", "chat", "late"], env=noctule.env, cwd=noctule.folder, stdout=file
        ) as shell,
    ):
        shell.wait_for("chat · smol · 3 s")
        assert shell.ended() == 0
    assert out.read_text() == "At last.\n"
    assert b"\r\x1b[K" in shell.raw


async def test_what_is_typed_into_a_reply_waits_for_the_prompt(noctule):
    """Keys and Ctrl-C while text streams show nothing, repeat no line, and the keys are kept."""
    words = ["chat", "--role", "chat"]
    with terminal(words, env=noctule.env, cwd=noctule.folder, columns=40) as shell:
        shell.wait_for("/help")
        shell.wait_for(">")
        shell.type("slow\r")
        shell.wait_for("one two")
        begun = len(shell.raw)
        shell.type("hello\r\r\r")
        shell.wait_for("fifteen")
        shell.wait_for("Said so.")  # to the line that was typed meanwhile
        assert b"hello" not in shell.raw[begun:].partition(b"fifteen")[0]
        shell.type("slow\r")
        shell.wait_for("one two")
        begun = len(shell.raw)
        shell.press_interrupt()
        shell.wait_for("Stopped. What was said stays")
        assert b"^C" not in shell.raw[begun:]
        shell.wait_for("chat>")
        shell.type("\x04")
        assert shell.ended() == 0
    database = await noctule.database()
    try:
        async with database.read() as work:
            (session,) = await work.sessions.list()
            turns = await work.turns.of_session(session.id)
    finally:
        await database.close()
    assert [(turn.text, turn.status) for turn in turns] == [
        ("slow", Status.DONE),
        ("hello", Status.DONE),
        ("slow", Status.CANCELLED),
    ]


def test_a_terminal_echoes_again_after_every_end(noctule):
    """Whatever ends a command, the terminal it leaves shows what is typed."""
    for end in ("by itself", "Ctrl-C twice", "SIGTERM"):
        words = ["chat", "--role", "chat", "slow"]
        with terminal(words, env=noctule.env, cwd=noctule.folder) as shell:
            shell.wait_for("one two")
            assert not shell.echoes, end
            if end == "Ctrl-C twice":
                shell.interrupt()
                shell.interrupt()
            elif end == "SIGTERM":
                shell.process.terminate()
            shell.ended()
            assert shell.echoes, end


def test_sentences_break_between_words(noctule):
    """At 40 columns no notice is cut inside a word, whichever command says it."""
    wrong = []
    for words in (
        ["sesions"],
        ["sessions", "show", "no-such-session"],
        ["run", "--at", "25:99", "x"],
    ):
        with terminal(words, env=noctule.env, cwd=noctule.folder, columns=40) as shell:
            shell.ended()
        wrong += [line for line in shell.shown.splitlines() if len(line) > 40]
    assert not wrong
