"""Ways out of a given folder that are files: sockets somebody listens at, and hard links."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from noctule.core.settings.tools import ToolsSettings
from tests.support.workbench import a_context, a_workspace
from tools.base.sockets import listening
from tools.sandbox.sandbox import Sandbox
from tools.shell.shell import Shell, ShellArguments

pytestmark = pytest.mark.process

PLACES = ("s", "deep/er/s", ".git/fsmonitor--daemon.ipc", ".git/hooks/s", f"{'long/' * 40}s")
KINDS = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM)


@pytest.fixture
def listeners(tmp_path: Path) -> Iterator[dict[Path, socket.socket]]:
    """A socket of each kind at each place of a project, in a repository and deep below."""
    project = (tmp_path / "project").resolve()
    (project / ".git/objects").mkdir(parents=True)
    (project / ".git/refs").mkdir()
    (project / ".git/HEAD").write_text("ref: refs/heads/main\n")
    found = {}
    with ExitStack() as stack:
        for number, place in enumerate(PLACES):
            for kind in KINDS if number < 2 else KINDS[:1]:
                path = project / f"{place}{int(kind)}"
                path.parent.mkdir(parents=True, exist_ok=True)
                found[path] = stack.enter_context(bound(path, kind))
        yield found


def bound(path: Path, kind: int = socket.SOCK_STREAM) -> socket.socket:
    folder = os.open(path.parent, os.O_RDONLY)
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)
    if kind != socket.SOCK_DGRAM:
        listener.listen()
    listener.setblocking(False)
    return listener


async def shell(root: Path, command: str) -> str:
    tool = Shell(ToolsSettings(), Sandbox(ToolsSettings()))
    workspace = a_workspace(root, most_bytes=2**24, own=False)
    return (await tool.run(ShellArguments(command=command), a_context(workspace))).text


ATTACK = """
import os, socket
for above, _, names in os.walk('.'):
    for name in names:
        for kind in (1, 2, 5):
            s = socket.socket(socket.AF_UNIX, kind)
            folder = os.open(above, os.O_RDONLY)
            try:
                s.connect(f'/proc/self/fd/{folder}/{name}')
                s.send(b'evil')
                print('REACHED', above, name)
            except OSError: pass
            os.close(folder)
"""


async def test_a_socket_that_was_there_is_not_reached(listeners: dict[Path, socket.socket]):
    """Not by its name, not after its folder was moved, linked or copied."""
    project = next(iter(listeners)).parent
    (project / "attack.py").write_text(ATTACK)
    text = await shell(
        project,
        "python3 attack.py; mv deep moved; ln s1 t; ln -s ../s1 moved/t; mv s2 u; rm -f s5; "
        "cp -a s1 v; python3 attack.py; echo end",
    )
    assert "REACHED" not in text
    assert text.rstrip().endswith("end")
    for listener in listeners.values():
        with pytest.raises(BlockingIOError):  # nobody came, the look before included
            listener.recv(9) if listener.type == socket.SOCK_DGRAM else listener.accept()
    assert (project / "s1").is_socket()


async def test_sockets_of_a_command_s_own_work_and_can_be_deleted_later(tmp_path: Path):
    """Test suites need them, and one that nobody listens at any more is in nobody's way."""
    own = (
        "import socket, sys; a = socket.socket(socket.AF_UNIX); a.bind('left'); a.listen(); "
        "b = socket.socket(socket.AF_UNIX); b.connect('left'); print('well')"
    )
    assert "well" in await shell(tmp_path, f'python3 -c "{own}"')
    assert (tmp_path / "left").is_socket()
    assert "gone" in await shell(tmp_path, "rm left && echo gone")
    assert not (tmp_path / "left").exists()


def test_only_what_somebody_listens_at_counts(listeners: dict[Path, socket.socket]):
    """Files, pipes and dead sockets are left alone."""
    project = next(iter(listeners)).parent
    os.mkfifo(project / "pipe")
    (project / "file").touch()
    bound(project / "dead").close()
    others = [project / name for name in ("pipe", "file", "dead", "none")]
    assert listening([*listeners, *others]) == list(listeners)


async def test_no_hard_link_leads_out(tmp_path: Path):
    """Whatever else is seen inside lies on another mount, though on the same disk."""
    text = await shell(
        tmp_path,
        "ln /etc/passwd a; ln /usr/bin/env b; ln $(command -v python3) c; "
        "ln /proc/self/exe d; ln /proc/1/root/etc/hostname e; "
        "find . -type f | grep . || echo none",
    )
    assert text.rstrip().endswith("none")
