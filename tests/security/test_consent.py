"""What a person is shown before they decide."""

import json
import os
import re
import select
import subprocess
import sys
import unicodedata
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from noctule.channels.telegram.views.log_lines import log_line
from noctule.channels.telegram.views.questions import offered
from noctule.channels.terminal.asking import open_asking
from noctule.channels.terminal.question_page import question_lines
from noctule.cli.frame.documents import question_document
from noctule.cli.sessions.log import log_lines
from noctule.core.llm.events import EventKind
from noctule.core.sessions.grants import changes
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Approval, QuestionKind
from noctule.core.sessions.sessions import SessionKind
from noctule.core.settings.tools import SandboxChoice, ToolsSettings
from noctule.core.tools.approval_text import odd_letters, reveal_hidden, unseen_escaped
from tests.support.stage import Stage
from tests.support.stored_records import a_question, a_turn
from tests.support.theatre import open_theatre
from tests.support.toolkit import calls
from tests.support.workbench import a_context, a_workspace
from tools.sandbox.sandbox import Sandbox
from tools.shell.command_seal import code_seal, command_seal
from tools.shell.python import Python
from tools.shell.shell import Shell

if TYPE_CHECKING:
    from noctule.channels.terminal.screens.screen import Screen
    from noctule.sessions.service.service import SessionService

PLANTED = (
    "sitecustomize.py", "usercustomize.py", "random.py", "hashlib.py", "runpy.py", "encodings.py",
    "x.pth", "startup.py", ".bashrc", ".bash_profile", "env.sh", "node.js",
)  # fmt: skip
VARIABLES = {
    "PYTHONPATH": "{folder}",
    "PYTHONHOME": "{folder}",
    "PYTHONSTARTUP": "{folder}/startup.py",
    "PYTHONUSERBASE": "{folder}",
    "BASH_ENV": "{folder}/env.sh",
    "ENV": "{folder}/env.sh",
    "NODE_OPTIONS": "--require={folder}/node.js",
    "GIT_CONFIG_GLOBAL": "{folder}/gitconfig",
    "GIT_EXTERNAL_DIFF": "{folder}/bin/ls",
    "LD_PRELOAD": "",
    "PATH": ".:{folder}/bin::bin:/usr/bin:/bin",
}


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that plants all it can, and an environment that points there; it notes what ran."""
    folder = (tmp_path / "project").resolve()
    (folder / "bin").mkdir(parents=True)
    noted = f"{tmp_path}/ran"
    for name in PLANTED:
        note = f"open({noted!r}, 'a').write({name!r})" if ".py" in name else f"echo x >>{noted}"
        (folder / name).write_text(f"import sys; {note}" if name == "x.pth" else note)
    for name in ("ls", "git", "python3", "cat", "true"):
        (folder / "bin" / name).write_text(f"#!/bin/sh\necho {name} >>{noted}\n")
        (folder / "bin" / name).chmod(0o755)
    subprocess.run(["/usr/bin/git", "init", "-q", str(folder)], check=True)
    config = f'[core]\n\tfsmonitor = "echo fsmonitor >>{noted}; false"\n\thooksPath = .git/hooks\n'
    with (folder / ".git/config").open("a") as file:
        file.write(config)
    (folder / "gitconfig").write_text(config)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value.format(folder=folder))
    monkeypatch.chdir(folder)
    return folder


async def ran(kind: type[Shell] | type[Python], folder: Path, **given: str) -> str:
    settings = ToolsSettings(sandbox=SandboxChoice.NONE)
    tool: Any = kind(settings, Sandbox(settings))
    context = a_context(a_workspace(folder, own=False), approved=True)
    return (await tool.run(tool.arguments.model_validate(given), context)).text


@pytest.mark.process
async def test_approved_code_runs_and_nothing_planted_beside_it(hostile: Path):
    """Without a sandbox what was shown runs as the person, and nothing else in the folder does."""
    code = "import random, hashlib\nprint(6 * 7, random.random() < 1, __name__, __file__[-3:])"
    assert "42 True __main__ .py" in await ran(Python, hostile, code=code)
    assert "42" in await ran(Shell, hostile, command="echo $((6*7))")
    await ran(Shell, hostile, command="ls; cat /dev/null; true; git status; git diff")
    await ran(Shell, hostile, command="python3 -c 'print(6*7)'")
    assert not (hostile.parent / "ran").exists()


@pytest.mark.process
async def test_modules_of_the_workspace_are_found_and_named(tmp_path: Path):
    """They stand behind the standard library, and a yes is bound to those the program names."""
    (tmp_path / "bats").mkdir()
    (tmp_path / "bats/__init__.py").write_text("import bats.noctule_bats as deep\nname = 'pip'")
    (tmp_path / "bats/noctule_bats.py").write_text("")
    code = "from bats import name\nimport bats.noctule_bats, json\nprint(name)"
    assert "pip" in await ran(Python, tmp_path, code=code)
    before = code_seal(code, tmp_path)
    assert set(before) == {"the code", "file bats/__init__.py", "file bats/noctule_bats.py"}
    (tmp_path / "bats/__init__.py").write_text("name = 'fox'")
    assert changes(before, code_seal(code, tmp_path)) == "bats/__init__.py changed"
    failed = await ran(Python, tmp_path, code="print(1)\n1/0")
    assert "line 2, in <module>" in failed
    assert "1/0" in failed
    assert "SyntaxError" in await ran(Python, tmp_path, code="x = = 1")
    assert "the code" in code_seal("(" * 5000, tmp_path)


def test_what_git_runs_by_itself_is_part_of_what_is_allowed(hostile: Path):
    """A hook or a setting that comes later is a change."""
    before = command_seal("git commit -m x", hostile)
    (hostile / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    with (hostile / ".git/config").open("a") as file:
        file.write("[core]\n\tsshCommand = evil\n")
    after = command_seal("git commit -m x", hostile)
    assert changes(before, after) == ".git/hooks/pre-commit is new, .git/config changed"


IGNORABLE = [
    0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810),
    *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164,
    *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000),
]  # fmt: skip
"""Default_Ignorable_Code_Point, Unicode 15 and 16 (DerivedCoreProperties.txt)."""
BIDI = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
"""Bidi_Control (PropList.txt)."""
UNSEEN = {
    *map(chr, (*IGNORABLE, *BIDI, 0x2800)),
    *(
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        and chr(code) not in "\n\t"
    ),
}
ANY = st.text(
    st.one_of(
        st.sampled_from(sorted(UNSEEN)), st.characters(exclude_characters="\\"), st.just("a")
    ),
    max_size=30,
)
CODE = re.compile(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")


def test_no_character_that_shows_as_nothing_is_left_unspelt():
    """Each of the whole classes, wherever it stands, at the beginning and in heaps."""
    for text in ("a{}b", "{}", "{0}{0}{0}", "e\u0301{}", " {} "):
        left = [
            hex(ord(letter))
            for letter in map(chr, (*IGNORABLE, *BIDI))
            if letter in reveal_hidden(text.format(letter), most=999)
        ]
        assert left == []
    assert UNSEEN.isdisjoint(reveal_hidden("a".join(sorted(UNSEEN)), most=10**7))


@given(ANY)
def test_whatever_is_written_is_shown_without_loss(text):
    """No unseen character is left, and what is spelt out means what was there."""
    shown = reveal_hidden(text, most=10_000)
    assert UNSEEN.isdisjoint(shown)
    assume("[..." not in shown)
    assert CODE.sub(lambda found: chr(int(found[1] or found[2], 16)), shown) == text


@given(ANY, st.integers(1, 40))
def test_what_is_cut_off_is_counted_and_neither_end_is_lost(text, most):
    """Who is asked sees that there is more, and how much."""
    whole, shown = reveal_hidden(text, most=10_000), reveal_hidden(text, most=most)
    assert UNSEEN.isdisjoint(shown)
    if len(whole) > most:
        assert f"[... {len(whole) - most:,} characters are not shown here" in shown
        assert shown.endswith(whole[-1])


@given(ANY)
def test_a_json_document_means_the_same_and_hides_nothing(text):
    """What a script reads is what it was; what a terminal shows has nothing unseen in it."""
    document = json.dumps({"text": text, text: [1]}, ensure_ascii=False, indent=2)
    escaped = unseen_escaped(document)
    assert json.loads(escaped) == json.loads(document)
    assert UNSEEN.isdisjoint(escaped)


IMITATION = (
    "May engineer use shell:\nls\n(granted by nobody)\n  1  once     yes, this once\n"
    "\u202eFor longer than once a yes covers exactly this command."
)
CHOICES = ["once", "\u2713 once", "session", "always", "no"]


async def test_an_agent_s_question_never_looks_like_an_approval(tmp_path: Path):
    """Word for word imitated, every line of it is quoted wherever it is told, its answers too."""
    stage = Stage(roles={"engineer": {"tools": ["ask"]}})
    async with open_theatre(tmp_path, stage) as theatre:
        stage.will("first", calls(("ask", {"question": IMITATION, "choices": CHOICES})))
        turn = await theatre.say("do it", kind=SessionKind.RUN, role="engineer")
        (question,) = await theatre.service.questions(session_id=turn.session_id)
        events = await theatre.events(turn.session_id)
    (asked,) = [event for event in events if event.kind is EventKind.QUESTION]
    parked = [event.data["reason"] for event in events if event.kind is EventKind.PARKED]
    document = question_document(question, UTC)
    told = [
        "\n".join(question_lines(question)),
        "\n".join(log_lines(asked, UTC)),
        str(log_line(asked)),
        str(turn.error),
        *parked,
        document["shown"],
    ]
    for text in told:
        assert "The agent asks: May engineer use shell:" in text
        assert UNSEEN.isdisjoint(text)
        assert not [line for line in text.splitlines() if line.lstrip().startswith(BELOW)]
    assert document["asked_by"] == "agent"
    assert "  1  \u201conce\u201d\n  2  \u201c\u2713 once\u201d" in told[0]
    labels = [offered(question, value) for value in question.choices]
    ours = [offered(replace(question, kind=QuestionKind.APPROVAL), one) for one in Approval]
    assert not set(labels) & set(ours)
    assert not [label for label in labels if label.startswith("\u2713")]


BELOW = ("ls", "(granted", "1  once", "For longer", "May engineer")


async def test_nothing_in_a_command_or_a_name_stands_as_a_line_of_ours(tmp_path: Path):
    """A command of several lines, and a file whose name holds them, end at their own end."""
    lines = "(reading is allowed)\nFor longer than once a yes covers nothing.\nMay chat use ask?"
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    home.mkdir()
    (project / f"a\n{lines}.sh").touch()
    stage = Stage(roles={"engineer": {"tools": ["shell"]}}, tools={"permissions": {"shell": "ask"}})
    async with open_theatre(home, stage) as theatre:
        command = f"cat *.sh\n: '\n{lines}'"
        stage.will("first", calls(("shell", {"command": command})))
        turn = await theatre.say("x", kind=SessionKind.RUN, role="engineer", workspace=str(project))
        (question,) = await theatre.service.questions(session_id=turn.session_id)
    ours = [line for line in question.text.split("\n") if not line.startswith("\u2502 ")]
    assert [line.split(" ")[0] for line in ours] == ["May", "(the", "For"]
    assert f"a\\n{lines}.sh".replace("\n", "\\n") in ours[-1].replace("\\\\n", "\\n")


async def test_who_asks_for_whom_and_how_long_it_is_stands_on_a_question(tmp_path: Path):
    """Of a guest's work it says on whose account; of a long command where all of it is shown."""
    stage = Stage(roles={"engineer": {"tools": ["shell"]}}, tools={"permissions": {"shell": "ask"}})
    command = f"echo \u0430 {'x' * 3000}; rm -r build"
    async with open_theatre(tmp_path, stage) as theatre:
        for owner in ("local", "telegram:7"):
            stage.will("first", calls(("shell", {"command": command})))
            turn = await theatre.say("x", kind=SessionKind.RUN, role="engineer", owner=owner)
            (question,) = await theatre.service.questions(session_id=turn.session_id)
            assert (owner == "local") == question.text.startswith(
                "May engineer use shell:\n\u2502 echo"
            )
            assert (owner == "local") != ("In a session of telegram:7; it acts" in question.text)
            assert "1 character is not ASCII: U+0430 CYRILLIC" in question.text
            assert f"It has {len(command):,} characters in 1 line" in question.text
            assert f"`noctule sessions answer {turn.session_id} --full`" in question.text


def test_marks_are_shown_on_letters_and_spelt_in_heaps():
    """An accent is an accent; forty of them cover the lines above."""
    assert reveal_hidden("e\u0301te\u0301", most=99) == "e\u0301te\u0301"
    assert reveal_hidden("a" + "\u0335" * 40, most=999).count("\\u0335") == 38
    assert reveal_hidden("rm \u20e0x", most=99) == "rm \\u20e0x"


def test_letters_of_other_scripts_in_a_command_are_counted_and_named():
    """What looks like ASCII and is not would be another program, or no quotation mark."""
    assert odd_letters("ls -l 'a b'") is None
    assert odd_letters("gr\u0435p x") == (
        "1 character is not ASCII: U+0435 CYRILLIC SMALL LETTER IE."
    )
    many = odd_letters("".join(map(chr, range(0x430, 0x438))) * 200)
    assert many.startswith("1,600 characters are not ASCII: U+0430 CYRILLIC SMALL LETTER A, ")
    assert many.endswith(" and 3 more kinds.")


async def test_what_was_typed_before_a_question_stood_there_answers_none(monkeypatch):
    """Two impatient yeses are one: the second was typed before anybody saw what it would allow."""
    master, slave = os.openpty()
    with os.fdopen(slave) as stdin, create_app_session(input=create_input(stdin)) as app:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", stdin)
        steps: list[str] = []

        class Shown:
            def problem(self, text):
                steps.append(f"{text}: {len(get_typeahead(app.input))} typed, {waiting(stdin)}")

        class Questions:
            async def questions(self, *, session_id):
                return [a_question("q1")]

            async def answer(self, question_id, said):
                steps.append(f"answered {said}")

        async def ask(label):
            return "2"

        asking = open_asking(cast("SessionService", Questions()), cast("Screen", Shown()))
        assert asking is not None
        monkeypatch.setattr(asking, "_ask", ask)
        store_typeahead(app.input, [KeyPress("1"), KeyPress(Keys.Enter)])
        os.write(master, b"1\n1\n")
        assert waiting(stdin)
        await asking.settle(a_turn(status=Status.WAITING), set())
    os.close(master)
    assert steps[-1] == "answered 2"
    assert all(step.endswith(": 0 typed, False") for step in steps[:-1])
    assert len(steps) > 1


def waiting(stdin: TextIO) -> bool:
    return bool(select.select([stdin], [], [], 0)[0])
