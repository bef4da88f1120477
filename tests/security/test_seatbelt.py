"""The sandbox of macOS: its profile, held against the model of the mounts it is made from."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from noctule.core.settings.tools import ToolsSettings
from tests.support.fuzzing import examples
from tests.support.layouts import MountTable, breaches, layouts
from tests.support.ordinary_user import run_as_ordinary_user, why_not
from tests.support.seatbelt_rules import Order, Profile, writes
from tests.support.workbench import a_context
from tools.base.workspace import Workspace
from tools.sandbox.mounts import MountError, Repositories, mounts_of
from tools.sandbox.sandbox import Sandbox
from tools.sandbox.seatbelt import PROGRAM, Seatbelt, profile
from tools.shell.shell import Shell, ShellArguments

ROOT = Path("/Users/me/project")
TEMP = Path("/private/tmp/noctule.x")
MIB = 1024 * 1024
CHECKOUT = Path(__file__).parents[2]


def read(text: str) -> Profile:
    return Profile(text, {"TEMP": str(TEMP)})


@pytest.mark.fuzz
def test_a_profile_keeps_what_the_mounts_keep():
    """In every layout, by whichever order of rules; what is not kept can be worked with."""
    lost = []
    for layout in layouts(9, examples(60)):
        git = [ROOT / one / ".git" for one in layout.repositories]
        framed = [ROOT / one for one in layout.bare]
        kept = [ROOT / one for one in layout.kept]
        fixed = [one / "config" for one in git]
        repositories = Repositories(git, framed, fixed)
        mounts = mounts_of(ROOT, writable=True, kept=kept, repositories=repositories)
        table = MountTable()
        for mount in mounts:
            table.mount(mount.path, writable=mount.writable)
        made = read(profile(mounts))
        for order in Order:
            for one in (*kept, *fixed):
                way = [above for above in one.parents if ROOT in (above, *above.parents)]
                assert breaches(table, ROOT, one) == [] or one in fixed
                lost += [(one, order)] if writes(made, one, order) else []
                lost += [(one, order)] if writes(made, one / "new", order) else []
                if one in kept:
                    unlink = "file-write-unlink"
                    lost += [(up, order) for up in way if made.allows(unlink, up, order)]
            for folder in layout.folders:
                new = ROOT / folder / "new"
                assert bool(writes(made, new, order)) is table.writable(new)
    assert lost == []


def test_nothing_but_the_workspace_and_the_system_is_there():
    """No home, no data folder, no other command's temporary folder, no network, no second name."""
    home = Path("/Users/me/Library/Application Support/noctule")
    mounts = mounts_of(ROOT, writable=True)
    hidden = [home, Path("/opt/homebrew/var/noctule")]
    made = read(profile(mounts, readable=["/opt/homebrew/opt/python"], hidden=hidden))
    unseen = (
        "/Users/me/.ssh/id_ed25519", "/Users/me", "/Users/me/projects", "/Users/other/x",
        f"{home}/engine.db", "/opt/homebrew/var/noctule/engine.db", "/private/tmp/other",
        "/private/var/folders/x", "/Library/Keychains/System.keychain", "/Volumes/Disk/x",
        "/private/var/run/docker.sock", "/dev/ttys001", "/dev/disk0", "/dev/tty",
    )  # fmt: skip
    for operation in ("file-read-data", "file-write-data", "file-write-create", "process-exec"):
        for place in unseen:
            assert not made.allows(operation, Path(place))
    for path in (ROOT / "a", ROOT, TEMP / "x", Path("/usr/bin/git"), Path("/opt/homebrew/bin/rg")):
        assert made.allows("file-read-data", path)
    assert made.allows("file-write-create", ROOT / "a")
    assert made.allows("file-write-create", TEMP / "a")
    for path in (ROOT / "a", TEMP / "a", None):
        for operation in (
            "network-outbound", "network-bind", "network-inbound", "file-link", "file-clone",
            "file-write-setugid", "mach-register", "lsopen", "appleevent-send", "iokit-open",
            "process-info-pidinfo", "sysctl-write", "job-creation", "system-socket",
        ):  # fmt: skip
            assert not made.allows(operation, path)
    # Neither the workspace nor the temporary folder may be moved into the other one.
    assert not made.allows("file-write-unlink", ROOT)
    assert not made.allows("file-write-unlink", TEMP)
    assert not read(profile(mounts_of(ROOT, writable=False))).allows("file-write-data", ROOT / "a")


def test_any_path_can_be_named_or_is_refused():
    """Quotation marks and brackets of a path are no rules."""
    evil = ROOT / 'a") (allow file-write* (subpath "'
    made = read(profile(mounts_of(ROOT, writable=True, kept=[evil, ROOT / "b\\"])))
    assert not made.allows("file-write-data", evil)
    assert not made.allows("file-write-data", ROOT / "b\\")
    assert not made.allows("file-write-data", Path("/etc/x"))
    assert made.allows("file-write-data", ROOT / "c")
    with pytest.raises(MountError, match="control character"):
        profile(mounts_of(ROOT, writable=True, kept=[ROOT / "a\nb"]))


def a_program(folder: Path, lines: str) -> Seatbelt:
    """Something in the place of sandbox-exec that keeps nothing."""
    path = folder / "sandbox-exec"
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return Seatbelt(str(path))


@pytest.mark.process
def test_a_command_gets_a_temporary_folder_of_its_own_that_vanishes(tmp_path: Path):
    """Home and TMPDIR are in it; the environment is what was given, the exit code its own."""
    # -D TEMP=... -p PROFILE /usr/bin/env ...
    belt = a_program(tmp_path, 'shift 4; exec "$@"')
    root = tmp_path / "root"
    root.mkdir()
    argv = belt.wrapped(
        ["/bin/sh", "-c", 'pwd; echo "$HOME" "$TMPDIR"; env; echo x >"$HOME/x"; exit 7'],
        root,
        {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "A": "b=c d"},
        mounts_of(root, writable=True),
    )
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={"KEY": "secret"}, timeout=60
    )
    where, temps, *env = done.stdout.splitlines()
    assert (done.returncode, where) == (7, str(root))
    home, temp = temps.split()
    assert home == temp
    assert not Path(home).exists()
    assert "A=b=c d" in env
    assert "PATH=/usr/bin:/bin:/opt/homebrew/bin:/opt/local/bin" in env
    assert "secret" not in done.stdout
    tool = Shell(ToolsSettings(), Sandbox(ToolsSettings(), seatbelt=belt))
    arguments = ShellArguments(command="echo hello")
    before = asyncio.run(tool.before(arguments, a_context(Workspace(root, MIB))))
    assert before == {"contained": False}  # nothing says that it ended when Noctule did


PROGRAM_OF_A_PERSON = """
import asyncio, sys
from pathlib import Path
from noctule.core.settings.tools import ToolsSettings
from tests.support.workbench import a_context
from tools.sandbox.sandbox import Sandbox
from tools.sandbox.seatbelt import Seatbelt
from tools.shell.shell import Shell, ShellArguments
from tools.base.workspace import Workspace

place = Path.home() / "sandbox-exec"
stand_in = f"exec {sys.executable} -m tests.support.seatbelt_stand_in"
for lines in ("shift 4", "exit 3", "echo fine", f"{stand_in}"):
    place.write_text(f'#!/bin/sh\\ncd {sys.argv[1]}\\n{lines} "$@"\\n')
    place.chmod(0o755)
    print(Seatbelt(str(place)).flaw())
place.write_text('#!/bin/sh\\nshift 4\\nexec "$@"\\n')
print(Seatbelt(str(place)).flaw())
print(Seatbelt("/nowhere").flaw())

place.write_text(f'#!/bin/sh\\ncd {sys.argv[1]}\\n{stand_in} "$@"\\n')
root = (Path.home() / "project").resolve()
(root / "kept").mkdir(parents=True)
tool = Shell(ToolsSettings(), Sandbox(ToolsSettings(), seatbelt=Seatbelt(str(place))))
command = "pwd; echo a >b; mv kept x; echo evil >kept/x; ls kept; ls $HOME"
workspace = Workspace(root, 2**24, kept=(root / "kept",))
print(asyncio.run(tool.run(ShellArguments(command=command), a_context(workspace))).text)
"""


@pytest.mark.process
def test_what_holds_nothing_is_found_before_a_command_runs():
    """The attack at the start is a real one; where it fails commands run and nothing is changed."""
    if reason := why_not():
        pytest.skip(reason)
    done = run_as_ordinary_user(["-c", PROGRAM_OF_A_PERSON, str(CHECKOUT)])
    nothing, refuses, lies, holds, leaks, absent, *said = done.stdout.splitlines()
    assert "no command works in it" in nothing + done.stderr
    assert "exit code 3" in refuses
    assert "no command works" in lies
    assert holds == "None"
    assert "the network can be reached" in leaks
    assert "/nowhere is missing" in absent
    told = "\n".join(said)
    assert told.startswith("Exit code 0")
    assert "/project" in told
    assert "kept/x: Read-only file system" in told


@pytest.mark.skipif(sys.platform != "darwin", reason="needs macOS")
@pytest.mark.process
def test_it_holds_on_a_mac(tmp_path: Path):
    """The attack at the start finds nothing, and a command works in a project."""
    if os.geteuid() == 0:
        pytest.skip("needs an ordinary user")
    assert Seatbelt(PROGRAM).flaw() is None
    root = tmp_path.resolve()
    kept = root / "kept"
    kept.mkdir()
    workspace = Workspace(root, MIB, kept=(kept,))
    tool = Shell(ToolsSettings(), Sandbox(ToolsSettings()))
    command = "echo evil >kept/x; mv kept y; cat ~/.ssh/*; curl -m 2 https://example.org; echo a >b"
    asyncio.run(tool.run(ShellArguments(command=command), a_context(workspace)))
    assert list(kept.iterdir()) == []
    assert (root / "b").read_text() == "a\n"
