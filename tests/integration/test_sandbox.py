import asyncio
import os
import signal
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from noctule.core.clock import SystemClock
from noctule.core.settings.tools import SandboxChoice, ToolsSettings
from noctule.core.tools.effects import EffectClass
from tests.support.workbench import a_context, a_workspace
from tools.base.tool import ToolContext, ToolError, ToolResult
from tools.base.workspace import PathError, open_workspace
from tools.sandbox.sandbox import Sandbox
from tools.shell.commands import command_tools
from tools.shell.python import Python, PythonArguments
from tools.shell.shell import Shell, ShellArguments

pytestmark = pytest.mark.process

MIB = 1024 * 1024
SETTINGS = ToolsSettings(workspace_mb=16, command_memory_mb=256)
BARE = SETTINGS.model_copy(update={"sandbox": SandboxChoice.NONE})
CLOCK = SystemClock()


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    folder = tmp_path / "work"
    folder.mkdir()
    return a_context(a_workspace(folder, most_bytes=16 * MIB))


def approved(context: ToolContext) -> ToolContext:
    return a_context(context.workspace, approved=True)


async def shell(context: ToolContext, command: str, **more) -> str:
    arguments = ShellArguments(command=command, **more)
    return (await Shell(SETTINGS, Sandbox(SETTINGS)).run(arguments, context)).text


async def bare_shell(context: ToolContext, command: str, **more) -> str:
    arguments = ShellArguments(command=command, **more)
    return (await Shell(BARE, Sandbox(BARE)).run(arguments, approved(context))).text


def running(word: str) -> list[int]:
    """The processes whose command line holds a word."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and word.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def gone(word: str) -> bool:
    """Whether processes whose command line holds a word end, soon."""
    for _ in range(200):
        if not running(word):
            return True
        await CLOCK.sleep(0.05)
    return False


async def test_a_command_sees_its_workspace_and_tells_how_it_ended(context: ToolContext):
    """Both outputs come in order, with the exit code, and files stay in the workspace."""
    text = await shell(context, "echo out; echo err >&2; pwd; echo made > new.txt; exit 3")
    assert text.startswith("Exit code 3. It took ")
    assert text.splitlines()[1:] == ["out", "err", str(context.workspace.root)]
    assert (context.workspace.root / "new.txt").read_text() == "made\n"


async def test_python_and_its_installed_tools_work_inside(context: ToolContext):
    """The engineer can run a project's tests, and tracebacks name paths that can be opened."""
    root = context.workspace.root
    (root / "test_it.py").write_text("def test_it():\n    assert 1 + 1 == 3\n")
    text = await shell(context, "python -m pytest -q -p no:cacheprovider test_it.py")
    assert text.startswith("Exit code 1")
    assert "1 failed" in text
    (root / "own.py").write_text("answer = 42\n")
    tool = Python(SETTINGS, Sandbox(SETTINGS))
    result = await tool.run(PythonArguments(code="import own\nprint(own.answer)\n1/0"), context)
    assert "42" in result.text
    assert f'{root}/.noctule/call_1.py", line 3' in result.text


async def test_neither_homes_nor_records_nor_keys_exist_inside(tmp_path: Path):
    """Of the data folder its own workspace alone is there; of homes, what Python needs."""
    data = tmp_path / "data"
    folder = data / "workspaces" / "s1"
    folder.mkdir(parents=True)
    (data / "noctule.db").write_text("ledger of money")
    (data / "workspaces" / "s2").mkdir()
    secret = Path.home() / f".noctule-test-{uuid4().hex}"
    secret.write_text("key")
    try:
        context = a_context(a_workspace(folder))
        text = await shell(
            context,
            f"ls -A {data} {data}/workspaces; cat {secret} {data}/noctule.db; ls /home /var; "
            "cat /etc/shadow; echo x > /usr/x; echo x > /etc/x; echo x > /x; echo x > /dev/x",
        )
    finally:
        secret.unlink()
    assert "s2" not in text
    assert "ledger" not in text
    assert "key" not in text
    assert "root:" not in text
    assert text.count("No such file") == 4
    assert text.count("Read-only file system") == 4


async def test_a_data_folder_within_the_python_installation_is_hidden(tmp_path: Path):
    """What is bound for Python's sake shows nothing of Noctule's own."""
    if not os.access(sys.prefix, os.W_OK):
        pytest.skip("not tried: the Python installation cannot be written here")
    data = Path(sys.prefix) / f"data-{uuid4().hex}"
    data.mkdir()
    (data / "noctule.db").write_text("ledger of money")
    try:
        context = a_context(a_workspace(tmp_path))
        tool = Shell(SETTINGS, Sandbox(SETTINGS, hidden=[data]))
        result = await tool.run(ShellArguments(command=f"ls -A {data}; echo end"), context)
    finally:
        (data / "noctule.db").unlink()
        data.rmdir()
    assert result.text.splitlines()[1:] == ["end"]


async def test_there_is_no_network_inside(context: ToolContext):
    """Not even a server on this machine can be reached."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
    try:
        text = await shell(context, f'python -c "{code}"')
    finally:
        server.close()
        await server.wait_closed()
    assert "ConnectionRefusedError" in text


async def test_no_variable_of_noctules_own_is_there(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
):
    """Keys in the environment stay outside, sandbox or not."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret-key")
    inside = await shell(context, "env; cat /proc/[0-9]*/environ")
    for text in (inside, await bare_shell(context, "env")):
        assert "PATH=" in text
        assert "sk-secret-key" not in text


async def test_nobody_gains_rights_inside(context: ToolContext):
    """There are no capabilities, and no new namespaces to get some in."""
    text = await shell(
        context, "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; unshare -U true"
    )
    assert "CapEff:\t0000000000000000" in text
    assert "CapBnd:\t0000000000000000" in text
    assert "NoNewPrivs:\t1" in text
    assert "unshare failed" in text


async def test_links_and_devices_made_inside_do_not_let_a_tool_out(context: ToolContext):
    """What a command leaves behind is looked at like any other path."""
    text = await shell(context, "ln -s /etc/passwd link; ln -s / root; mkfifo pipe; mknod d c 1 3")
    assert "mknod: d: Operation not permitted" in text
    for path in ("link", "root/etc/passwd", "pipe"):
        with pytest.raises(PathError):
            context.workspace.content(path)


@pytest.mark.parametrize("run", [shell, bare_shell])
async def test_a_command_that_sleeps_is_ended_with_what_it_started(context: ToolContext, run):
    """After its time it is asked, and then made, to end; in a sandbox or without."""
    nap = f"sleep 99{uuid4().int % 10**9}"
    command = f"{nap} & setsid {nap} & trap 'echo bye; exit' TERM; {nap} & wait"
    text = await run(context, command, timeout_s=0.5)
    assert text.startswith("Ended by Noctule: it ran longer than 0.5 s")
    assert "bye" in text
    assert await gone(nap.replace(" ", "\0"))


@pytest.mark.parametrize("run", [shell, bare_shell])
async def test_a_command_that_ignores_sigterm_is_killed(context: ToolContext, run):
    """Nothing can refuse to end."""
    nap = f"sleep 98{uuid4().int % 10**9}"
    text = await run(context, f"trap '' TERM HUP INT; while :; do {nap}; done", timeout_s=0.5)
    assert text.startswith("Ended by Noctule")
    assert await gone(nap.replace(" ", "\0"))


async def test_what_a_command_leaves_running_ends_with_it(context: ToolContext):
    """A server started in the background does not outlive the call, in a sandbox or without."""
    nap = f"sleep 97{uuid4().int % 10**9}"
    for run in (shell, bare_shell):
        text = await run(context, f"setsid nohup {nap} >/dev/null 2>&1 & {nap} & echo done")
        assert text.startswith("Exit code 0")
        assert await gone(nap.replace(" ", "\0"))


async def test_too_many_processes_are_ended_without_a_sandbox_too(context: ToolContext):
    """There they are counted by the session they belong to."""
    nap = f"sleep 94{uuid4().int % 10**9}"
    text = await bare_shell(context, f"for i in `seq 300`; do {nap} & done; wait", timeout_s=60)
    assert text.startswith("Ended by Noctule: it had more than 240 processes")
    assert await gone(nap.replace(" ", "\0"))


async def test_a_gigabyte_of_output_keeps_head_and_tail_alone(context: ToolContext):
    """It is ended early, and what is kept is small."""
    text = await shell(context, "echo first; head -c 1G /dev/zero | tr '\\0' x; echo last")
    assert "printed more than 64.0 MiB" in text
    assert "\nfirst\nxxx" in text
    assert "bytes are left out here" in text
    assert len(text) < 600_000


async def test_a_long_output_keeps_its_end(context: ToolContext):
    """Below that bound the last line is there, and what is missing is counted."""
    text = await shell(context, "echo first; head -c 2M /dev/zero | tr '\\0' x; echo; echo last")
    assert "\nfirst\nxxx" in text
    assert text.endswith("xxx\nlast\n")
    assert "1,572,876 bytes are left out" in text


async def test_memory_of_a_command_is_bounded(context: ToolContext):
    """One that wants too much fails, several together are ended; nobody else's memory is used."""
    text = await shell(context, "python -c 'x = bytearray(400 * 2**20)'")
    assert "MemoryError" in text
    many = "for i in 1 2 3 4; do python -c 'x = b\"x\" * (200 * 2**20); input()' <&9 & done; wait"
    text = await shell(context, f"mkfifo p; exec 9<>p; {many}", timeout_s=60)
    assert "held more than 512.0 MiB of memory together" in text


async def test_the_disk_cannot_be_filled(context: ToolContext):
    """Neither by one large file nor by many small ones, nor by those of /tmp."""
    text = await shell(context, "head -c 100M /dev/zero > big; stat -c %s big")
    assert text.rstrip().endswith(str(16 * MIB))
    (context.workspace.root / "big").unlink()
    text = await shell(context, "i=0; while head -c 1M /dev/zero > f$i; do i=$((i+1)); done")
    assert text.startswith("Ended by Noctule: the workspace holds")
    text = await shell(context, "i=0; while head -c 1M /dev/zero >/tmp/$i; do i=$((i+1)); done")
    assert "No space left" in text


async def test_what_a_command_may_write_to_a_given_folder_is_bounded(tmp_path: Path):
    """However large the folder was before; what is new in it counts."""
    for number in range(40):
        (tmp_path / f"old{number}").write_bytes(b"x" * MIB)
    context = a_context(a_workspace(tmp_path, most_bytes=32 * MIB, own=False))
    assert (await shell(context, "head -c 8M /dev/zero > new")).startswith("Exit code 0")
    text = await shell(context, "i=0; while head -c 1M /dev/zero > f$i; do i=$((i+1)); done")
    assert text.startswith("Ended by Noctule: it has written")


async def test_a_full_workspace_can_still_be_tidied_up(context: ToolContext):
    """What is in the way can be deleted by a command."""
    for number in range(40):
        (context.workspace.root / str(number)).write_bytes(b"x" * MIB)
    text = await shell(context, "rm [1-3]*; echo done")
    assert text.startswith("Exit code 0")
    assert "done" in text


async def test_nothing_waits_for_input(context: ToolContext):
    """A program that asks reads the end of its input at once."""
    assert (await shell(context, "cat; read x; echo $?")).rstrip().endswith("1")


async def test_a_command_ends_when_noctule_is_killed(tmp_path: Path):
    """Nobody is left behind by a SIGKILL of the process that runs it."""
    nap = f"sleep 96{uuid4().int % 10**9}"
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from noctule.core.settings.tools import ToolsSettings\n"
        "from tests.support.workbench import a_context, a_workspace\n"
        "from tools.sandbox.sandbox import Sandbox\n"
        "from tools.shell.shell import Shell, ShellArguments\n"
        "settings = ToolsSettings()\n"
        "context = a_context(a_workspace(Path(sys.argv[1])))\n"
        f"call = Shell(settings, Sandbox(settings)).run(ShellArguments(command={nap!r}), context)\n"
        "asyncio.run(call)\n"
    )
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), cwd=root, env=env
    )
    try:
        for _ in range(400):
            if any(pid != child.pid for pid in running(nap.replace(" ", "\0"))):
                break
            await CLOCK.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        await child.wait()
    assert await gone(nap.replace(" ", "\0"))


async def test_a_cancelled_call_ends_its_command(context: ToolContext):
    """When the person stops the turn, the command stops."""
    nap = f"sleep 95{uuid4().int % 10**9}"
    for run in (shell, bare_shell):
        call = asyncio.create_task(run(context, nap))
        for _ in range(200):
            if running(nap.replace(" ", "\0")):
                break
            await CLOCK.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await gone(nap.replace(" ", "\0"))


async def test_without_a_sandbox_nothing_that_hides_is_left_running(context: ToolContext):
    """Out of the session, without an environment or a parent: it is found and ended."""
    nap = "sleep 86461"
    hiding = f"(setsid env -i /bin/sh -c '{nap}; true' >/dev/null 2>&1 &)"
    text = await bare_shell(context, f"{hiding}; sleep 0.2; exit 3")
    assert text.startswith("Exit code 3")
    assert await gone(nap.replace(" ", "\0"))
    text = await bare_shell(context, f"{hiding}; sleep 60", timeout_s=1)
    assert "ran longer than 1 s" in text
    assert await gone(nap.replace(" ", "\0"))
    assert "Ended by SIGSEGV" in await bare_shell(context, "kill -SEGV $$")
    assert "Exit code 127" in await bare_shell(context, "no-such-program-here")


async def test_a_flood_of_empty_files_is_ended(context: ToolContext):
    """A file that holds nothing takes one of the disk's numbers."""
    code = "import os\nfor n in range(10**6):\n    os.close(os.open(f'{n}', os.O_CREAT))"
    text = await shell(context, f'python -c "{code}"')
    assert "the workspace holds" in text
    assert len(list(context.workspace.root.iterdir())) < 200_000


async def test_a_persons_repository_cannot_be_made_to_run_something(tmp_path: Path):
    """In a given folder git works, but its configuration and hooks cannot be changed."""
    made = await asyncio.create_subprocess_exec("git", "init", "-q", str(tmp_path))
    assert await made.wait() == 0
    context = a_context(a_workspace(tmp_path, own=False))
    text = await shell(
        context,
        "echo x > a; git add a; git -c user.name=a -c user.email=a@b commit -q -m one; git log "
        "--oneline | wc -l; git config core.fsmonitor /bin/evil; echo x > .git/hooks/pre-commit; "
        "mv .git .git2; echo end",
    )
    assert text.splitlines()[1] == "1"
    assert "fsmonitor" not in (tmp_path / ".git" / "config").read_text()
    assert not (tmp_path / ".git" / "hooks" / "pre-commit").exists()
    assert not (tmp_path / ".git2").exists()


async def test_what_a_repository_lacks_cannot_be_made_up_either(tmp_path: Path):
    """No folder for hooks, and no word that its configuration is elsewhere; nothing is left."""
    made = await asyncio.create_subprocess_exec("git", "init", "-q", "--template=", str(tmp_path))
    assert await made.wait() == 0
    git = tmp_path / ".git"
    before = {path.name for path in git.iterdir()}
    context = a_context(a_workspace(tmp_path, own=False))
    text = await shell(
        context,
        "echo x > a; git add a; git -c user.name=a -c user.email=a@b commit -q -m one; git log "
        "--oneline | wc -l; mkdir -p .git/hooks; echo x > .git/hooks/pre-commit; "
        "echo ../evil > .git/commondir; mv .git/commondir .git/x; echo x > .git/config.worktree",
    )
    assert text.splitlines()[1] == "1"
    assert not (git / "hooks" / "pre-commit").exists()
    assert {path.name for path in git.iterdir()} - before <= {
        "hooks", "modules", "index", "logs", "COMMIT_EDITMSG",
    }  # fmt: skip


async def test_a_worktree_cannot_be_made_one_of_another_repository(tmp_path: Path):
    """The file that says where its repository is stays as it is."""
    (tmp_path / ".git").write_text("gitdir: /somewhere/else\n")
    context = a_context(a_workspace(tmp_path, own=False))
    await shell(context, "echo gitdir: evil > .git; mv .git x; rm -f .git")
    assert (tmp_path / ".git").read_text() == "gitdir: /somewhere/else\n"


async def test_what_noctule_itself_obeys_is_not_for_agents_to_write(tmp_path: Path):
    """The folder of own tools and the configuration stay as they are in a project."""
    home, project = tmp_path / "home", tmp_path / "project"
    own = project / "a" / "own"
    own.mkdir(parents=True)
    (own / "mine.py").write_text("mine")
    (project / "config.yaml").write_text("roles: {}")
    kept = [own, project / "config.yaml"]
    workspace = open_workspace(home, "s1", project, most_bytes=16 * MIB, kept=kept)
    await shell(
        a_context(workspace),
        "echo evil > a/own/more.py; echo evil > a/own/mine.py; rm -rf a/own; mv a/own own2; "
        "mv a b && mkdir -p a/own && echo evil > a/own/mine.py; "
        "echo evil > config.yaml; mv config.yaml x; rm config.yaml; echo fine > other",
    )
    for path in ("a/own/more.py", "a/own/mine.py", "./config.yaml"):
        with pytest.raises(PathError, match="only people may write it"):
            workspace.put(path, b"evil", "call")
    assert [path.name for path in own.iterdir()] == ["mine.py"]
    assert (own / "mine.py").read_text() == "mine"
    assert (project / "config.yaml").read_text() == "roles: {}"
    assert (project / "other").read_text() == "fine\n"


async def test_without_a_sandbox_a_command_needs_a_person(context: ToolContext):
    """It says why, counts as an effect outside, and runs only when it was approved."""
    tool, arguments = Shell(BARE, Sandbox(BARE)), ShellArguments(command="echo hi")
    assert tool.effect_of(arguments, context) is EffectClass.OUTSIDE
    assert "tools.sandbox is none" in (tool.needs_person(arguments, context) or "")
    with pytest.raises(ToolError, match="must approve"):
        await tool.run(arguments, context)
    result = await tool.run(arguments, approved(context))
    assert result.text.endswith("\nhi\n")
    assert result.outside


async def test_in_a_sandbox_a_command_can_change_the_workspace_alone(context: ToolContext):
    """It needs nobody, and of a session's own files nothing is from outside."""
    for tool in command_tools(SETTINGS, Sandbox(SETTINGS)):
        arguments = tool.arguments.model_validate({"command": "echo hi", "code": "print('hi')"})
        assert tool.effect_of(arguments, context) is EffectClass.WRITE
        assert tool.needs_person(arguments, context) is None
        assert tool.subject(arguments)
        result = await tool.run(arguments, context)
        assert "hi" in result.text
        assert not result.outside


async def test_a_sandbox_that_does_not_work_says_why(context: ToolContext, tmp_path: Path):
    """What bubblewrap said is passed on; that there is none is said, too."""
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    assert "uid map: Permission denied" in (Sandbox(SETTINGS, bwrap=str(broken)).flaw or "")
    assert "could not be run" in (Sandbox(SETTINGS, bwrap=str(tmp_path / "none")).flaw or "")
    assert Sandbox(SETTINGS).flaw is None


async def test_a_command_that_was_cut_off_is_told_of_and_not_repeated(context: ToolContext):
    """In the sandbox the agent looks for itself; without one a person is asked."""
    arguments = ShellArguments(command="echo x >> file")
    tool = Shell(SETTINGS, Sandbox(SETTINGS))
    before = await tool.before(arguments, context)
    result = await tool.happened(arguments, context, before)
    assert isinstance(result, ToolResult)
    assert "not run again" in result.text
    tool = Shell(BARE, Sandbox(BARE))
    before = await tool.before(arguments, context)
    assert await tool.happened(arguments, context, before) is None


async def test_the_python_of_noctule_cannot_be_changed_where_a_project_holds_it(tmp_path: Path):
    """A project that is worked on by the environment within it cannot change what runs outside."""
    text = await shell(
        a_context(a_workspace(Path(sys.prefix).parent, own=False)), f"touch {sys.prefix}/x"
    )
    assert "Read-only file system" in text


async def test_a_command_too_long_for_the_system_is_refused(context: ToolContext):
    """A sentence comes back, not an error of the system."""
    with pytest.raises(ToolError, match="too long"):
        await shell(context, "é" * 90_000)
    with pytest.raises(ToolError, match="NUL"):
        await shell(context, "echo \0")
