"""What a person's git runs in a folder they gave, after commands of an agent."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from noctule.core.settings.tools import ToolsSettings
from tests.support.workbench import a_context
from tools.base.tool import ToolError, ToolResult
from tools.base.workspace import PathError, Workspace
from tools.sandbox.git_guard import GitGuard, settle
from tools.sandbox.sandbox import Sandbox
from tools.shell.shell import Shell, ShellArguments

pytestmark = pytest.mark.process

SETTINGS = ToolsSettings()
MIB = 1024 * 1024
WHO = "-c user.name=a -c user.email=a@b"
EVIL = "printf '#!/bin/sh\\necho ran >> %s/ran\\n' $PWD > e.sh; chmod +x e.sh; "


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def git(folder: Path, *words: str) -> str:
    """What a person does, with git's own settings alone."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1"}
    argv = ["git", *WHO.split(), "-c", "protocol.file.allow=always", *words]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def a_repository(folder: Path) -> Path:
    """A repository with one commit."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


def given(root: Path) -> Workspace:
    return Workspace(root.resolve(), 64 * MIB, own=False, records=root.parent / "records")


async def shell(root: Path, command: str) -> str:
    tool = Shell(SETTINGS, Sandbox(SETTINGS))
    return (await tool.run(ShellArguments(command=command), a_context(given(root)))).text


def ran(root: Path) -> bool:
    """Whether what a person does next in the project runs what the agent left."""
    git(root, "status")
    git(root, "commit", "-q", "--allow-empty", "-m", "next")
    return (root / "ran").exists()


async def test_a_repository_made_within_one_runs_nothing(root: Path):
    """It is set aside, wherever the outer index names it, and the agent is told why."""
    a_repository(root)
    text = await shell(
        root,
        f"{EVIL} git init -q sub; cd sub; git {WHO} commit -q --allow-empty -m x; "
        "git config core.fsmonitor $PWD/../e.sh; cd ..; git add sub",
    )
    assert "'sub/.git'" in text
    assert "rename it back after looking" in text
    assert (root / "sub" / ".git-by-agent" / "config").is_file()
    assert not ran(root)


async def test_a_repository_hidden_in_what_is_set_aside_runs_nothing(root: Path):
    """Below the new name it would be found again."""
    a_repository(root)
    await shell(
        root,
        f"{EVIL} git init -q sub/.git; cd sub/.git; git {WHO} commit -q --allow-empty -m x; "
        "git config core.fsmonitor $PWD/../../e.sh; h=`git rev-parse HEAD`; cd ../..; "
        "git update-index --add --cacheinfo 160000,$h,sub/.git-by-agent",
    )
    assert not (root / "sub" / ".git-by-agent" / ".git").exists()
    assert not (root / "sub" / ".git").exists()
    assert not ran(root)


async def test_a_repository_where_none_was_runs_nothing(root: Path):
    """In a folder without one it is set aside, too, each under a name of its own."""
    for name in (".git-by-agent", ".git-by-agent-2"):
        text = await shell(root, f"{EVIL} git init -q; git config core.fsmonitor $PWD/e.sh")
        assert "'.git'" in text
        assert (root / name / "config").is_file()
    assert not ran(root)


async def test_a_folder_that_is_a_repository_itself_runs_nothing(root: Path):
    """Git needs no folder called .git, if HEAD, objects and refs lie side by side."""
    text = await shell(
        root,
        f"{EVIL} git init -q; git config core.worktree $PWD; git config core.fsmonitor $PWD/e.sh; "
        "mv .git/* .; rmdir .git",
    )
    assert "'HEAD'" in text
    assert not ran(root)


async def test_a_bare_repository_of_a_person_stays_one(root: Path):
    """Its configuration is kept, and what is pushed to it by a command arrives."""
    git(root, "init", "-q", "--bare", "store.git")
    text = await shell(
        root,
        f"{EVIL} git --git-dir=store.git config core.fsmonitor $PWD/e.sh; git init -q w; cd w; "
        f"git {WHO} commit -q --allow-empty -m x; git push -q ../store.git HEAD:master",
    )
    assert "'w/.git'" in text
    assert "store" not in text.rpartition("set aside")[2]
    assert "fsmonitor" not in (root / "store.git" / "config").read_text()
    assert "x" in git(root / "store.git", "log", "--oneline", "master")


@pytest.mark.parametrize("kind", ["ln -s ../store sub/.git", "echo gitdir: ../store > sub/.git"])
async def test_a_link_to_a_repository_runs_nothing(root: Path, kind: str):
    """Neither a symlink nor a file that names it stays."""
    a_repository(root)
    await shell(
        root,
        f"{EVIL} git init -q sub; cd sub; git {WHO} commit -q --allow-empty -m x; "
        f"git config core.fsmonitor $PWD/../e.sh; cd ..; git add sub; mv sub/.git store; {kind}",
    )
    assert not (root / "sub" / ".git").exists()
    assert not ran(root)


async def test_a_repository_within_cannot_be_made_to_run_something(root: Path):
    """Its configuration and hooks are kept like those of the outer one, and git works in it."""
    a_repository(a_repository(root) / "sub")
    git(root, "add", "sub")
    text = await shell(
        root,
        f"{EVIL} cd sub; echo x > a; git add a; git {WHO} commit -q -m two; "
        "git config core.fsmonitor $PWD/../e.sh; cp ../e.sh .git/hooks/pre-commit; mv .git x; "
        "git log --oneline | wc -l",
    )
    assert text.rstrip().endswith("\n2")
    assert "set aside" not in text
    assert not ran(root)
    git(root / "sub", "commit", "-q", "--allow-empty", "-m", "next")
    assert not (root / "ran").exists()


async def test_a_repository_within_cannot_be_exchanged(root: Path):
    """Neither with its whole folder nor under its old name."""
    a_repository(a_repository(root) / "sub")
    git(root, "add", "sub")
    await shell(
        root,
        f"{EVIL} mv sub sub2; git init -q sub; cd sub; git {WHO} commit -q --allow-empty -m x; "
        "git config core.fsmonitor $PWD/../e.sh",
    )
    assert not (root / "sub" / ".git").exists()
    assert not ran(root)


async def test_a_submodule_cannot_be_made_to_run_something(root: Path):
    """Its configuration is in the outer repository, and no further one can be put beside it."""
    other = a_repository(root.parent / "other")
    a_repository(root)
    git(root, "submodule", "add", "-q", str(other), "sub")
    git(root, "commit", "-q", "-m", "sub")
    assert (root / ".git" / "modules" / "sub" / "config").is_file()
    text = await shell(
        root,
        f"{EVIL} cd sub; git config core.fsmonitor $PWD/../e.sh; cp ../e.sh "
        "../.git/modules/sub/hooks/pre-commit; cp -r ../.git/modules/sub ../.git/modules/new; "
        "mv ../.git/modules ../.git/old; echo 'gitdir: ../e' > .git; "
        f"echo x > a; git add a; git {WHO} commit -q -m two; git log --oneline | wc -l",
    )
    assert text.rstrip().endswith("\n2")
    assert not (root / ".git" / "modules" / "new").exists()
    assert not ran(root)
    git(root / "sub", "commit", "-q", "--allow-empty", "-m", "next")
    assert not (root / "ran").exists()


async def test_a_person_can_use_the_repository_afterwards(root: Path):
    """Adding and committing by a command works, is said nothing of, and nothing is in the way."""
    a_repository(root)
    text = await shell(root, f"echo x > a; git add a; git {WHO} commit -q -m two; git status -s")
    assert text.startswith("Exit code 0")
    assert "set aside" not in text
    assert "two" in git(root, "log", "--oneline")
    assert git(root, "status", "-s") == ""
    assert "On branch" in git(root, "status")


async def shell_result(root: Path) -> str:
    return await shell(root, "echo hi")


async def happened(root: Path) -> str:
    tool, context = Shell(SETTINGS, Sandbox(SETTINGS)), a_context(given(root))
    arguments = ShellArguments(command="git init sub")
    result = await tool.happened(arguments, context, await tool.before(arguments, context))
    assert isinstance(result, ToolResult)
    return result.text


def killed_in_the_middle(root: Path) -> None:
    """What is there when Noctule is killed while a command runs that made a repository."""
    program = (
        "import os, signal, subprocess, sys\n"
        "from pathlib import Path\n"
        "from tools.sandbox.git_guard import GitGuard\n"
        "from tools.base.workspace import Workspace\n"
        "root = Path(sys.argv[1])\n"
        "guard = GitGuard(Workspace(root, 1, own=False, records=root.parent / 'records'))\n"
        "guard.begin()\n"
        "subprocess.run(['git', 'init', '-q', 'sub'], cwd=root, check=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    here = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(root.resolve())], cwd=here, check=False
    )
    assert done.returncode == -signal.SIGKILL


async def test_what_a_command_made_whose_end_nobody_saw_is_set_aside_later(root: Path):
    """The next look at the folder compares with what was there before that command."""
    a_repository(root)
    for look in (shell_result, happened):
        killed_in_the_middle(root)
        assert "'sub/.git'" in await look(root)
        assert not (root / "sub" / ".git").exists()
        assert (root / ".git").is_dir()
        assert not any(path.suffix == ".json" for path in (root.parent / "records").iterdir())


def test_what_still_runs_is_not_settled(root: Path):
    """A command of another process may still need what it made."""
    guard = GitGuard(given(root))
    guard.begin()
    a_repository(root)
    assert settle(given(root)) == []
    assert "'.git'" in (guard.end() or "")


async def test_a_repository_made_beside_another_command_does_not_become_a_persons(root: Path):
    """Two commands at once: what the one made is not known to the other."""
    first, second = GitGuard(given(root)), GitGuard(given(root))
    await asyncio.to_thread(first.begin)
    a_repository(root / "sub")
    second.begin()
    assert "'sub/.git'" in (second.end() or "")
    assert first.end() is None


async def test_too_many_repositories_are_refused(root: Path):
    """What cannot be kept is not put at risk."""
    for number in range(65):
        (root / f"r{number}" / ".git").mkdir(parents=True)
    with pytest.raises(ToolError, match="more than 64 git repositories"):
        await shell(root, "echo hi")


def test_tools_that_write_files_make_no_repository(root: Path):
    """Neither a folder nor a file of that name, at the root or below."""
    for path in (".git", "sub/.git", "sub/.git/config", ".GIT/config"):
        with pytest.raises(PathError, match="belongs to git"):
            given(root).put(path, b"x", "call")
    assert list(root.iterdir()) == []


async def test_an_own_workspace_keeps_the_repository_an_agent_made(root: Path):
    """There no person's git is at risk."""
    context = a_context(Workspace(root, 64 * MIB))
    tool = Shell(SETTINGS, Sandbox(SETTINGS))
    await tool.run(ShellArguments(command="git init -q"), context)
    assert (root / ".git" / "config").is_file()
