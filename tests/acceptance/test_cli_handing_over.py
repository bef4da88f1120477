import re
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine

pytestmark = pytest.mark.process


@pytest.fixture
def noctule(tmp_path: Path) -> CommandLine:
    told = CommandLine(tmp_path)
    told.play({"smol": []})  # without lines it says what it was told
    return told


def test_a_pipe_is_sent_along_with_the_words(noctule):
    """Both reach the model, the words first; an empty pipe adds nothing."""
    code, told = noctule.json("chat", "Say it back:", stdin="line one\nline two\n")
    assert (code, told["reply"][:13]) == (0, "Say it back:\n")
    assert re.search(r"data\)\n<(data-\w+)>\nline one\nline two\n</\1>$", told["reply"])
    assert noctule.json("chat", "hello", stdin="")[1]["reply"] == "hello"


def test_a_short_text_file_is_read_and_kept_in_the_workspace(noctule):
    """Its words stand in the message, its copy in the workspace; no copy replaces another."""
    notes = noctule.folder / "notes.md"
    notes.write_text("The bats arrive at nine.\n```\ncode\n```\n", encoding="utf-8")
    code, told = noctule.json("chat", "When?", "--file", str(notes), "--file", str(notes))
    assert code == 0
    assert "The bats arrive at nine." in told["reply"]
    assert re.search(r"data\)\n<(data-\w+)>\nThe bats[^<]+\n```\n</\1>$", told["reply"])
    folder = noctule.home / "workspaces" / told["session"] / "in"
    assert sorted(path.name for path in folder.iterdir()) == ["notes-2.md", "notes.md"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_what_cannot_be_handed_over_is_said_and_nothing_is_asked(noctule):
    """A file that is not there, or something that is no picture: exit code 2, and no session."""
    sheet = noctule.folder / "a.csv"
    sheet.write_text("1,2", encoding="utf-8")
    wrong = {
        "nowhere.txt is not a file": ("x", "--file", "nowhere.txt"),
        "is not a picture": ("x", "--image", str(sheet)),
    }
    faults = []
    for words, arguments in wrong.items():
        done = noctule.run("chat", *arguments)
        if done.returncode != 2 or words not in done.stderr:
            faults.append((arguments, done.returncode, done.stderr))
    assert not faults
    assert noctule.json("sessions")[1] == []


def test_the_newest_conversation_is_continued(noctule):
    """``-c`` and ``--session last`` go on with it; a short end of its id names it as well."""
    first = noctule.json("chat", "one")[1]["session"]
    assert noctule.json("chat", "-c", "two")[1]["session"] == first
    assert noctule.json("chat", "--session", "last", "three")[1]["session"] == first
    assert noctule.json("chat", "--session", first[-8:], "four")[1]["session"] == first
    listed = noctule.run("sessions", "list")
    assert first[-8:] in listed.stdout
    both = noctule.run("chat", "-c", "--session", "last", "five")
    assert (both.returncode, "Use one of them" in both.stderr) == (2, True)


def test_a_mistyped_command_is_told_what_comes_close(noctule):
    """Exit code 2, and the command that was probably meant."""
    done = noctule.run("atempts")
    assert done.returncode == 2
    assert "Did you mean `noctule attempts`?" in done.stderr
