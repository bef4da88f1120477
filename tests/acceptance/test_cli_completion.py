"""Completion as a shell asks for it."""

import asyncio
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from noctule.core.sessions.sessions import LOCAL_OWNER, Session, SessionKind
from tests.support.shell import SILENT, Shell
from tests.support.small_config import CONFIG

pytestmark = pytest.mark.process

_HEAVY = SILENT | {"sqlalchemy", "aiosqlite", "rich", "prompt_toolkit", "httpx", "telegram"}


@pytest.fixture
async def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path, CONFIG)
    async with shell.records() as work:
        for name, title in (("a1b2c3d4", "Fix the failing test"), ("99887766", "A, toast")):
            session = f"01a2b3c4-0000-7000-8000-0000{name}"
            now = datetime(2026, 11, 1, tzinfo=UTC)
            await work.sessions.add(Session(session, LOCAL_OWNER, SessionKind.RUN, title, now))
    return shell


async def complete(shell: Shell, *words: str) -> list[str]:
    """Return what a bash that asks is told; the last word is the one under the cursor."""
    done = await shell(
        _NOCTULE_COMPLETE="bash_complete",
        COMP_WORDS="\n".join(["noctule", *words]),
        COMP_CWORD=str(len(words)),
    )
    assert (done.code, done.err) == (0, "")
    return [line.partition(",")[2] for line in done.out.split()]


async def test_a_shell_completes_commands_roles_models_and_sessions(shell):
    """Every word that has a list of its own is completed from it; a title leads to its id."""
    wrong = []
    for words, right in (
        (["comp"], ["completion"]),
        (["sessions", "ex"], ["export"]),
        (["chat", "--role", "en"], ["engineer"]),
        (["run", "--model", ""], ["small", "large"]),
        (["sessions", "show", ""], ["a1b2c3d4", "99887766"]),
        (["chat", "--session", "toa"], ["99887766"]),
        (["costs", "--session", "la"], ["last"]),
        (["completion", "z"], ["zsh"]),
    ):
        found = await complete(shell, *words)
        if sorted(found) != sorted(right):
            wrong.append((words, found))
    assert not wrong


async def test_completion_of_ids_loads_nothing_heavy(shell):
    """A key must not wait for libraries: ids come without the database's, graph's or clients'."""
    shell.env |= {
        "_NOCTULE_COMPLETE": "bash_complete",
        "COMP_WORDS": "noctule chat --session x",
        "COMP_CWORD": "3",
    }
    assert not _HEAVY & await shell.loaded()


async def test_completion_without_a_sound_configuration_is_silent(shell):
    """A broken file or an empty data folder completes what needs neither, and says nothing."""
    shell.env["NOCTULE_HOME"] = str(shell.folder / "empty")
    assert await complete(shell, "sessions", "show", "") == []
    (shell.folder / "config.yaml").write_text("models: [")
    assert await complete(shell, "chat", "--model", "") == []
    assert await complete(shell, "chat", "--role", "w") == ["writer"]


async def test_the_scripts_are_what_their_shells_read(shell):
    """Each script names its function; where the shell is there, it completes with it."""
    for name in ("bash", "zsh", "fish"):
        done = await shell("completion", name)
        assert (done.code, done.err) == (0, "")
        assert f"_NOCTULE_COMPLETE={name}_complete" in done.out
        program = shutil.which(name)
        if program is not None:
            checked = await asyncio.to_thread(
                subprocess.run, [program, "-n"], input=done.out.encode(), capture_output=True
            )
            assert (checked.returncode, checked.stderr) == (0, b"")
    assert (await shell("completion", "tcsh")).code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
async def test_bash_itself_completes_an_id(shell):
    """The script, read by a real bash, asks the program and takes what it says."""
    script = (await shell("completion", "bash")).out
    program = shell.folder / "noctule"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m noctule "$@"\n')
    program.chmod(0o755)
    asks = (
        f"{script}\nCOMP_WORDS=(noctule sessions show toa); COMP_CWORD=3\n"
        f'_noctule_completion {program}\nprintf "%s\\n" "${{COMPREPLY[@]}}"\n'
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [shutil.which("bash") or "bash", "--norc", "-c", asks],
        env=shell.env,
        cwd=shell.folder,
        capture_output=True,
        check=False,
    )
    assert (done.stdout.decode().split(), done.stderr) == (["99887766"], b"")
