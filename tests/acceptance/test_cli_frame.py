import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from noctule.cli.main import COMMANDS, FIRST, GROUPS, program
from tests.support.command_line import CommandLine

HEAVY = (
    "langgraph",
    "langchain",
    "langchain_core",
    "langchain_openai",
    "sqlalchemy",
    "alembic",
    "dbos",
    "openai",
    "anthropic",
    "ollama",
    "httpx",
    "xllamacpp",
    "telegram",
    "rich",
    "prompt_toolkit",
    "pydantic",
)


@pytest.fixture
def noctule(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def run_with(code: str, *arguments: str, cwd: Path, env: dict[str, str]):
    """Run the command line with something planted in it."""
    script = f"{textwrap.dedent(code)}\nfrom noctule.cli.main import main\nmain()\n"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


PLANTED = """
import sys, types, click
from noctule.cli.main import COMMANDS
from noctule.cli.frame.invocation import runs

@click.command("planted")
@click.option("--json", "as_json", is_flag=True)
@runs
async def command(invocation, as_json):
    invocation.load()
    {body}

module = types.ModuleType("noctule.cli.commands.planted")
module.command = command
sys.modules[module.__name__] = module
COMMANDS["planted"] = "Planted by a test."
"""


def test_help_imports_nothing_heavy(noctule):
    """The help, also of all commands, imports no graph, database or provider client."""
    code = f"""
    import atexit, sys
    heavy = {HEAVY!r}
    atexit.register(lambda: print([name for name in heavy if name in sys.modules], file=sys.stderr))
    """
    for words in (["--help"], ["help", "all"]):
        done = run_with(code, *words, cwd=noctule.folder, env=noctule.env)
        assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_help_shows_nine_commands_at_first():
    """``--help`` shows nine commands and one line for the rest; ``help all`` shows every one."""

    def listed(*words):
        done = CliRunner().invoke(program, [*words], prog_name="noctule")
        assert done.exit_code == 0
        return [name for name in COMMANDS if f"\n  {name} " in done.stdout], done.stdout

    first, page = listed("--help")
    assert sorted(first) == sorted(FIRST)
    assert len(first) == 9
    assert f"\n{len(COMMANDS) - 9} more commands: `noctule help all`.\n" in page
    for words in (["--help", "--all"], ["--all", "--help"], ["--all"], ["help", "all"]):
        assert listed(*words)[0] == list(COMMANDS)
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)


def test_help_of_a_command():
    """``help sessions show`` is ``sessions show --help``; a word that is no command ends with 2."""
    runner = CliRunner()
    for words in (["chat"], ["sessions", "show"]):
        long = runner.invoke(program, [*words, "--help"], prog_name="noctule").stdout
        assert runner.invoke(program, ["help", *words], prog_name="noctule").stdout == long
    for words, named in ((["sleepwalk"], "noctule help all"), (["chat", "x"], "noctule chat")):
        done = runner.invoke(program, ["help", *words], prog_name="noctule")
        assert done.exit_code == 2
        assert named in done.stderr


def test_config_may_stand_behind_every_command():
    """``--config`` is taken before a command's name and behind it, by inner commands as well."""

    def without(command: click.Command, name: str) -> list[str]:
        own = [] if any("--config" in param.opts for param in command.params) else [name]
        inner = command.commands if isinstance(command, click.Group) else {}
        return own + [bad for key, sub in inner.items() for bad in without(sub, f"{name} {key}")]

    context = click.Context(program)
    written = [
        n for n in COMMANDS if (Path(__file__).parents[2] / f"noctule/cli/commands/{n}.py").exists()
    ]
    commands = {name: program.get_command(context, name) for name in written}
    assert [bad for name, command in commands.items() for bad in without(command, name)] == []


def test_a_command_that_does_not_exist_is_a_usage_error(noctule):
    """An unknown command ends with 2 and names itself."""
    done = noctule.run("sleepwalk")
    assert (done.returncode, done.stdout) == (2, "")
    assert "sleepwalk" in done.stderr


def test_every_problem_of_a_configuration_is_said_without_a_traceback(noctule):
    """A broken configuration ends with 2, and names file, path and fix of each problem."""
    noctule.configure({"endpoints": {"a": {"kind": "ollma"}}, "models": {}, "rolls": {}})
    done = noctule.run("chat", "hello")
    assert done.returncode == 2
    assert done.stdout == ""
    for named in ("config.yaml", "endpoints.a.kind", "rolls", "Fix:"):
        assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_configuration_is_named(noctule):
    """A file that ``--config`` names and that is not there ends with 2, wherever it is said."""
    for words in (["--config", "no.yaml", "chat", "hi"], ["chat", "hi", "--config", "no.yaml"]):
        done = noctule.run(*words)
        assert done.returncode == 2
        assert "no.yaml" in done.stderr


def test_with_json_an_error_is_the_one_document(noctule):
    """With ``--json`` stdout holds one JSON document also when a command fails."""
    noctule.configure({"endpoints": {}})
    done = noctule.run("chat", "hello", "--json")
    assert done.returncode == 2
    assert "configuration" in json.loads(done.stdout)["error"]
    done = noctule.run("chat", "--json", "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in json.loads(done.stdout)["error"]


def test_what_nobody_expected_goes_to_the_log_without_secrets(noctule):
    """A bug is one sentence that names the log; the traceback there has no secret in it."""
    noctule.play({"smol": []}, endpoint={"key": "${STAGE_KEY}"})
    env = {**noctule.env, "STAGE_KEY": "very-secret-key-1", "OTHER_TOKEN": "very-secret-token-2"}
    body = "raise RuntimeError('broke with very-secret-key-1 and very-secret-token-2')"
    done = run_with(PLANTED.format(body=body), "planted", cwd=noctule.folder, env=env)
    log = noctule.home / "noctule.log"
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "RuntimeError" in done.stderr
    assert str(log) in done.stderr
    kept = log.read_text()
    assert "RuntimeError: broke with *** and ***" in kept
    assert "very-secret" not in kept + done.stderr
    assert log.stat().st_mode & 0o077 == 0


def test_a_bug_is_kept_where_the_data_folder_cannot_be(noctule):
    """Where no data folder can be made, the traceback is kept in the temporary folder."""
    noctule.play({"smol": []})
    (noctule.folder / "blocked").write_text("a file where a folder should be")
    env = {
        **noctule.env,
        "NOCTULE_HOME": str(noctule.folder / "blocked/home"),
        "TMPDIR": str(noctule.folder),
    }
    planted = PLANTED.format(body="raise RuntimeError('lost')")
    done = run_with(planted, "planted", "--json", cwd=noctule.folder, env=env)
    (kept,) = noctule.folder.glob(f"noctule-{os.getuid()}-*.log")
    assert done.returncode == 1
    assert str(kept) in json.loads(done.stdout)["error"]
    assert "RuntimeError: lost" in kept.read_text()


def test_what_is_logged_does_not_reach_the_terminal(noctule):
    """Warnings of libraries and of ours go to the log alone."""
    noctule.play({"smol": []})
    body = "import logging, warnings; logging.getLogger('x').warning('odd'); warnings.warn('old')"
    done = run_with(PLANTED.format(body=body), "planted", cwd=noctule.folder, env=noctule.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    kept = (noctule.home / "noctule.log").read_text()
    assert "odd" in kept
    assert "old" in kept


def test_a_reader_that_has_gone_ends_a_command_quietly(noctule):
    """Output into a closed pipe gives neither a traceback nor Python's own complaint."""
    noctule.play({"smol": []})
    body = "import click; [click.echo('x' * 1000) for _ in range(1000)]"
    script = f"{PLANTED.format(body=body)}\nfrom noctule.cli.main import main\nmain()\n"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", script, "planted"],
        cwd=noctule.folder,
        env=noctule.env,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_at_the_start_are_no_reason_to_break(noctule, closed):
    """A command works without stdin, stdout or stderr, and gives their numbers to nothing else."""
    noctule.play({"smol": []})
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m noctule chat hello --role chat {closed}'],
        cwd=noctule.folder,
        env=noctule.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if " >&-" in f" {closed}" else "hello\n")
    assert not (noctule.home / "noctule.log").exists()


def test_ctrl_c_before_anything_was_said_ends_with_a_sentence(noctule):
    """Ctrl-C while a command still starts ends with 1 and no traceback."""
    noctule.play({"smol": []})
    body = "import asyncio; print('started', flush=True); await asyncio.Event().wait()"
    script = f"{PLANTED.format(body=body)}\nfrom noctule.cli.main import main\nmain()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "planted"],
        cwd=noctule.folder,
        env=noctule.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told.strip()) == (1, "Stopped.")
