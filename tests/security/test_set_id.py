"""Programs in a folder that run as somebody else: none is changed by a command."""

import shutil
from pathlib import Path

import pytest

from noctule.core.settings.tools import ToolsSettings
from tests.support.workbench import a_context, a_workspace
from tools.sandbox import set_id
from tools.sandbox.mounts import MountError
from tools.sandbox.sandbox import Sandbox
from tools.sandbox.set_id import set_id_files
from tools.shell.shell import Shell, ShellArguments

ATTACK = """
import mmap, os, shutil
def mapped(path):
    f = os.open(path, os.O_RDWR); m = mmap.mmap(f, 0); m[0:4] = b'EVIL'; m.flush()
def written(path):
    with open(path, 'r+b') as f: f.write(b'EVIL')
def truncated(path):
    os.truncate(path, 4)
def exchanged(path):
    open('x', 'wb').write(b'EVIL'); os.chmod('x', 0o755); os.replace('x', path)
def removed(path):
    os.unlink(path)
def linked(path):
    os.link(path, 'y'); mapped('y')
def renamed(path):
    os.rename(path, 'z'); mapped('z')
for above in ('.', 'deep/er', '.git/hooks'):
    for attack in (mapped, written, truncated, linked, renamed, exchanged, removed):
        try: attack(above + '/program')
        except OSError: pass
os.rename('deep', 'moved')
try: mapped('moved/er/program')
except OSError: pass
print('end')
"""


@pytest.mark.process
@pytest.mark.parametrize("own", ["own", "given"])
@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6711])
async def test_a_program_with_such_a_bit_stays_as_it_is(tmp_path: Path, mode: int, own: str):
    """Through a shared mapping above all, which takes no bit away."""
    places = [tmp_path / place for place in ("program", "deep/er/program", ".git/hooks/program")]
    for path in places:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/usr/bin/id", path)
        path.chmod(mode)
    (tmp_path / "attack.py").write_text(ATTACK)
    tool = Shell(ToolsSettings(), Sandbox(ToolsSettings()))
    context = a_context(a_workspace(tmp_path, most_bytes=2**24, own=own == "own"))
    text = (await tool.run(ShellArguments(command="python3 attack.py"), context)).text
    assert "end" in text
    places[1] = tmp_path / "moved/er/program"
    for path in places:
        assert path.read_bytes()[:4] == b"\x7fELF"
        assert path.stat().st_mode & 0o7777 == mode


def test_more_than_can_be_kept_stop_commands(tmp_path: Path, monkeypatch):
    """With a sentence that says what to do."""
    monkeypatch.setattr(set_id, "_MOST", 2)
    for number in range(3):
        (tmp_path / str(number)).touch()
        (tmp_path / str(number)).chmod(0o4755)
    with pytest.raises(MountError, match="too many"):
        set_id_files(tmp_path)


def test_a_long_look_is_not_taken_for_every_command(tmp_path: Path, monkeypatch):
    """One in twenty at most; what is gone meanwhile is left out."""
    now, looks = [0.0], []
    monkeypatch.setattr("tools.sandbox.set_id.time.monotonic", lambda: now[0])
    (tmp_path / "a").touch()

    def slow(root: Path):
        looks.append(root)
        now[0] += 1
        return iter([root / "a", root / "gone"])

    monkeypatch.setattr(set_id, "_found", slow)
    for _ in range(5):
        assert set_id_files(tmp_path) == [tmp_path / "a"]
    assert len(looks) == 1
    now[0] += 21
    set_id_files(tmp_path)
    assert len(looks) == 2
