"""Output: nothing that others wrote steers a terminal, a pipe or a log."""

import asyncio
import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noctule.channels.terminal.screens.border import Border
from noctule.cli.frame.logs import Discreet, FileLog
from noctule.core.base.printable import STEERING, printable, spelt_out
from noctule.core.base.roles import Role
from noctule.core.clock import SystemClock
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.lifecycle import Status
from storage.open import open_database
from tests.support.command_line import CommandLine
from tests.support.fuzzing import examples
from tests.support.stored_records import (
    NOON,
    a_grant,
    a_limit,
    a_note,
    a_parking,
    a_proof,
    a_question,
    a_session,
    a_steer,
    a_turn,
    an_attempt,
    an_effect,
)

PLANT = "P\x1b]0;x\x07\x1b[2Ja\x1b[31mb\x1b[8m\u202ec\x9b2Jd\ud800\x1bP+q\x1b\\\x1b[6n\rE\u2066"
STYLES = re.compile(r"\x1b\[(?:0|1|2|3[0-7]|9[0-7])m")
PLANTED = re.compile(r"\x1b\[(?:31|8)m(?=[bc\u202e])")
READING = [
    ["sessions", "list"],
    ["sessions", "show", "s1"],
    ["sessions", "log", "s1"],
    ["sessions", "export", "s1"],
    ["sessions", "answer", "q1"],
    ["sessions", "grants"],
    ["why", "s1"],
    ["attempts"],
    ["costs"],
    ["costs", "--csv"],
    ["limits"],
    ["budgets"],
    ["models"],
    ["doctor"],
    ["rate", "s1", "good"],
    ["sessions", "show", f"nothing{PLANT[:8]}"],
]
DRIVER = """
import sys
from noctule.cli.main import main
for words in {commands!r}:
    for more in ([], ["--json"]):
        sys.argv = ["noctule", *words, *more]
        try:
            main()
        except SystemExit:
            pass
"""


async def fill(home: Path) -> None:
    """Store a record of each kind, the plant in every field that takes any text."""
    database = await open_database("sqlite", data_folder=home, clock=SystemClock())
    async with database.work() as work:
        await work.sessions.add(a_session(title=PLANT, chat_model=PLANT))
        for number, status in enumerate((Status.DONE, Status.FAILED, Status.WAITING), 1):
            ended: dict[str, Any] = {"ended_at": NOON} if status.finished else {}
            await work.turns.add(
                a_turn(f"t{number}", text=PLANT, reply=PLANT, error=PLANT, status=status, **ended)
            )
        route = Route((Role.CHAT,), Complexity.SIMPLE, DecidedBy.MODEL, PLANT, 0.5)
        await work.routes.put("t1", route)
        for number, outcome in enumerate((Outcome.SUCCESS, Outcome.RATE_LIMITED)):
            await work.attempts.add(
                an_attempt(
                    f"a{number}", message=PLANT, outcome=outcome, model=PLANT, endpoint=PLANT,
                    fallback_from=PLANT,
                )
            )  # fmt: skip
        await work.limits.put(a_limit(reason=PLANT))
        await work.parkings.add(a_parking(turn_id="t3", reason=PLANT, model=PLANT, tried=(PLANT,)))
        await work.questions.add(
            a_question(turn_id="t3", text=PLANT, tool=PLANT, subject=PLANT, server=PLANT)
        )
        await work.grants.add(a_grant(rule=PLANT, workspace=PLANT, server=PLANT))
        await work.notes.put(a_note(PLANT, PLANT))
        await work.proofs.put(a_proof(cases=({"case": PLANT, "said": PLANT, "why": PLANT},)))
        await work.steers.add(a_steer(text=PLANT))
        await work.effects.start(an_effect(tool=PLANT, arguments={PLANT: PLANT}, result=PLANT))
        names = (
            "text error reason tool subject model role message call fallback_from status question "
            "by attempt endpoint"
        )
        data: dict[str, object] = dict.fromkeys(names.split(), PLANT)
        data |= {"files": [PLANT], "skipped": [{"model": PLANT, "reason": PLANT}], "tried": [PLANT]}
        for kind in EventKind:
            await work.events.append("s1", "t1", [(kind, data)], at=NOON)
        await work.commit()
    await database.close()


@pytest.fixture(scope="module")
def noctule(tmp_path_factory) -> CommandLine:
    told = CommandLine(tmp_path_factory.mktemp("output"))
    told.play({"smol": []})
    asyncio.run(fill(told.home))
    return told


def shown(noctule: CommandLine, *, terminal: bool) -> str:
    """Run every reading command in one process; return all it wrote."""
    words = [sys.executable, "-c", DRIVER.format(commands=READING)]
    place: dict[str, Any] = {
        "cwd": noctule.folder,
        "env": {**noctule.env, "TERM": "xterm-256color"},
    }
    if not terminal:
        done = subprocess.run(words, capture_output=True, check=True, timeout=300, **place)
        return (done.stdout + done.stderr).decode("utf-8", "surrogateescape")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, **place
    )
    os.close(follower)
    seen = b""
    try:
        while piece := os.read(leader, 65536):
            seen += piece
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 0
    return seen.decode("utf-8", "surrogateescape")


@pytest.mark.process
@pytest.mark.parametrize("terminal", [False, True], ids=["a pipe", "a terminal"])
def test_no_reading_command_passes_on_what_was_planted(noctule: CommandLine, *, terminal: bool):
    """Every stored field, every command, also as JSON; our own colours alone are left."""
    seen = shown(noctule, terminal=terminal)
    assert seen.count('"error": "There is no session') == 1  # it ran to its last command
    assert "Something in Noctule broke" not in seen
    assert seen.count("Pa") > len(READING)
    planted = [ascii(seen[at.start() - 200 : at.end()]) for at in PLANTED.finditer(seen)]
    assert planted == []
    left = (STYLES.sub("", seen) if terminal else seen).replace("\r\n", "\n")
    wrong = sorted({ascii(found[0]) for found in STEERING.finditer(left)})
    assert wrong == []


@pytest.mark.process
def test_json_and_export_keep_what_they_do_not_show(noctule: CommandLine):
    """A document means the same as before; an export holds it spelt out."""
    code, told = noctule.json("sessions", "show", "s1")
    assert code == 0
    assert told["title"] == printable(PLANT) or "\u202e" in told["title"]
    exported = noctule.run("sessions", "export", "s1").stdout
    assert "\\x1b]0;x\\x07" in exported
    assert "\\u202e" in exported


@pytest.mark.process
def test_no_line_of_a_log_is_anybody_elses(tmp_path: Path):
    """Nobody writes lines of their own into it, or colours for whoever looks at it."""
    handler = FileLog(tmp_path / "noctule.log")
    handler.setFormatter(Discreet(()))
    record = logging.LogRecord(
        "noctule.x", 30, "x", 1, "it said: %s", (f"{PLANT}\n2026 1 ERROR noctule: forged",), None
    )
    handler.emit(record)
    handler.close()
    text = (tmp_path / "noctule.log").read_text()
    assert STEERING.search(text) is None
    first, *others = text.splitlines()
    assert re.match(r"\d{4}-", first)
    assert [line[:4] for line in others] == ["    "]


class Stream(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@given(st.text(st.sampled_from("\x1b[]0;31mJKPX^_\\\x07\x9b\x9d\x9c\u202e\ud800\r\nab?25hln")))
@settings(max_examples=examples(500), deadline=None)
def test_no_text_gets_past_the_border(text: str):
    """Whatever is printed by whoever: on a terminal colours and redrawn lines are left."""
    for terminal in (False, True):
        stream = Stream(terminal=terminal)
        assert Border(stream).write(text) == len(text)
        seen = stream.getvalue()
        left = re.sub(r"\x1b\[(?:[0-9;]*m|[0-9]*[ABCDGK]|\?(?:25|2004)[hl])|\r", "", seen)
        assert STEERING.search(left if terminal else seen.replace("\r\n", "")) is None
    assert STEERING.search(printable(text)) is None
    assert STEERING.search(spelt_out(text)) is None
    assert json.loads(json.dumps(text)) == text
