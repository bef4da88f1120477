"""Which programs Noctule itself starts, and from where."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.mcp.wire import as_started

PLANTED = ("bwrap", "nice", "rg", "tickets", "sh", "bash", "python3", "git", "env")
PROGRAM = """
import asyncio
from pathlib import Path
from noctule.core.settings.tools import SandboxChoice, ToolsSettings
from tests.support.workbench import a_context, a_workspace
from tools.files.file_search import SearchFiles
from tools.mcp.wire import running
from tools.base.programs import persons_path, persons_program
from tools.sandbox.sandbox import Sandbox
from tools.shell.shell import Shell

async def main():
    settings = ToolsSettings()
    sandbox = Sandbox(settings)
    context = a_context(a_workspace(Path.cwd(), own=False))
    for kind, given in ((Shell, {"command": "echo hello"}), (SearchFiles, {"pattern": "hello"})):
        tool = kind(settings, sandbox)
        print((await tool.run(tool.arguments.model_validate(given), context)).text)
    bare = a_context(a_workspace(Path.cwd(), own=False), approved=True)
    none = settings.model_copy(update={"sandbox": SandboxChoice.NONE})
    tool = Shell(none, Sandbox(none))
    print((await tool.run(tool.arguments.model_validate({"command": ": bare"}), bare)).text)
    for command in ("tickets", "nowhere-at-all"):
        try:
            async with running([command], {}) as program:
                print(await program.over)
        except OSError as error:
            print(error)
    print(persons_path())

asyncio.run(main())
"""


@pytest.mark.process
def test_a_program_planted_in_a_project_is_never_started(tmp_path: Path):
    """Though it stands first on PATH, in an environment, in bin, in node_modules or in a dot."""
    project = (tmp_path / "project").resolve()
    folders = [project / one for one in (".venv/bin", "bin", "node_modules/.bin", ".")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name in PLANTED:
            (folder / name).write_text(f"#!/bin/sh\necho {name} >>{tmp_path}/ran\n")
            (folder / name).chmod(0o755)
    (project / ".venv/pyvenv.cfg").touch()
    paths = [*map(str, folders), ".", "bin", "", "/usr/bin", "/bin"]
    checkout = str(Path(__file__).parents[2])
    env = {**os.environ, "PATH": ":".join(paths), "PYTHONPATH": checkout}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout
    assert not (tmp_path / "ran").exists()
    assert "there is no program 'tickets' on PATH outside of projects" in done.stdout
    assert str(project) not in done.stdout.splitlines()[-1]


def test_the_command_of_a_server_means_the_same_where_nobody_else_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Files get their full paths, other words stay; it is not started in the project."""
    (tmp_path / "server.py").touch()
    (tmp_path / "server").touch()
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "server.py", "./server", ".", "server", "-m", "--x=1", "é" * 300]
    told = as_started(command)
    places = [f"{tmp_path}/server.py", f"{tmp_path}/server", str(tmp_path)]
    assert told == [sys.executable, *places, *command[4:]]
