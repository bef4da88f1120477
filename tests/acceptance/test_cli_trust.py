"""Folders of strangers: nothing in them is run before a person said so."""

import pytest

from tests.support.shell import Shell
from tests.support.terminal import terminal

pytestmark = pytest.mark.process

HOSTILE = """\
endpoints: {stage: {kind: scripted}}
models: {one: {endpoint: stage, name: one, context: 8000}}
roles:
  chat: &it {primary: one}
  orchestrator: *it
  engineer: *it
  research: *it
  writer: *it
  utility: *it
tools:
  folder: code
  mcp: {it: {command: [touch, started]}}
"""
COMMANDS = (
    ["doctor"],
    ["models"],
    ["sessions"],
    ["chat", "hello"],
    ["run", "hello"],
    ["serve", "--help"],
)


@pytest.fixture
def stranger(tmp_path):
    """A folder with a configuration that starts things, and a person with one of their own."""
    shell = Shell(tmp_path, None)
    own = tmp_path / ".config/noctule/config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(HOSTILE.partition("tools:")[0])
    (tmp_path / "config.yaml").write_text(HOSTILE)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/mine.py").write_text("open('imported', 'w')\n")
    return shell


def touched(shell):
    """Return what the stranger's code left behind."""
    return [name for name in ("imported", "started") if (shell.folder / name).exists()]


async def test_no_command_runs_what_a_folder_brings(stranger):
    """Commands work with the person's own configuration, and say once how to use the other."""
    for words in COMMANDS:
        done = await stranger(*words)
        assert done.code == 0, (words, done)
        assert touched(stranger) == [], words
        if "--help" not in words:
            assert done.err.count("is not used") == 1, (words, done.err)
            assert "noctule trust" in done.err
    assert isinstance((await stranger("models", "--json")).json, list)


async def test_a_file_of_another_program_breaks_no_command(stranger):
    """It is passed over without a word, because the person's own is used as always."""
    (stranger.folder / "config.yaml").write_text("title: Mine\nbaseURL: https://example.org\n")
    done = await stranger("chat", "hello")
    assert (done.code, "config" in done.err) == (0, False)
    assert "hello" in done.out


async def test_trusting_shows_what_is_started_and_then_uses_it(stranger):
    """`noctule trust` names the file; a changed one is not used; --forget takes it back."""
    told = await stranger("trust")
    assert told.code == 0
    assert "starts the program touch started" in told.err
    assert "folder code" in told.err
    used = await stranger("doctor")
    assert f"Using the project's configuration {stranger.folder}/config.yaml." in used.err
    assert touched(stranger) == ["imported", "started"]
    with (stranger.folder / "config.yaml").open("a") as file:
        file.write("# changed\n")
    assert "is not used" in (await stranger("models")).err
    assert (await stranger("trust", "--forget")).code == 0
    (stranger.folder / "config.yaml").write_text("title: Mine\n")
    refused = await stranger("trust", ".")
    assert (refused.code, "not a Noctule configuration" in refused.err) == (2, True)


def test_a_person_at_a_terminal_is_asked_once(stranger):
    """What it would start is shown before the question; after a yes nothing is asked again."""
    for expected in ("Use it whenever", "Using the project's"):
        with terminal(["chat", "hello"], env=stranger.env, cwd=stranger.folder) as person:
            if expected.startswith("Use it"):
                person.wait_for("starts the program touch started")
                person.wait_for(expected)
                assert touched(stranger) == []
                person.type("y\r")
            person.wait_for("Using the project's")
            assert person.ended() == 0


async def test_without_any_configuration_the_packaged_one_is_named(tmp_path):
    """From a folder without any, a line says whose configuration is used, and what to do."""
    done = await Shell(tmp_path, None)("models")
    assert done.code == 0
    assert done.err.count("\n") == 1
    assert "Noctule's default configuration" in done.err
    assert "noctule init" in done.err
    assert (await Shell(tmp_path, None)("models", "--json")).err == ""
