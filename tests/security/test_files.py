"""What Noctule keeps on the disk: for its owner alone, under any umask, wherever it is made."""

import os
import stat
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from noctule.bootstrap import close_home
from noctule.cli.frame import logs
from noctule.core.base.private_files import (
    make_folder,
    narrow_home,
    open_to_others,
    persons_umask,
    write_private,
)
from noctule.core.errors import UsageError
from noctule.doctor import machine
from tests.support.command_line import CommandLine, wait_until
from tools.base.workspace import open_workspace

ANSWER = {"reply": "Done."}


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Whatever is made is everybody's, unless it is told otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def wide(folder: Path) -> list[str]:
    """Return what others may do anything with, folder included."""
    found = []
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & 0o077:
            found.append(f"{oct(stat.S_IMODE(mode))} {path.relative_to(folder.parent)}")
    return found


def test_a_day_of_use_under_umask_000_leaves_nothing_open(tmp_path: Path, open_umask):
    """The configuration, the data folder with its parents, databases, logs, locks, history."""
    line = CommandLine(tmp_path / "somebody")
    line.folder.mkdir(mode=0o700)
    line.home = line.folder / "deep/er/home"
    line.env["NOCTULE_HOME"] = str(line.home)
    made = line.folder / "made/config.yaml"
    line.run("init", "--yes", "--path", str(made))
    line.play({"small": [ANSWER] * 20})
    assert line.run("chat", "hello").returncode == 0
    worker = line.start("serve")
    try:
        wait_until((line.home / "engine.db").exists)
        assert line.run("run", "--detach", "more").returncode == 0
        found = wide(line.folder / "deep")
    finally:
        worker.terminate()
        worker.communicate(timeout=60)
    assert found == []
    assert wide(line.folder / "deep") == []
    assert wide(made.parent) == []
    names = {path.name for path in line.home.iterdir()}
    assert {"noctule.db", "checkpoints.db", "engine.db"} <= names


def test_folders_and_files_are_made_private_under_any_umask(tmp_path: Path, open_umask):
    """Parents that are missing too; one that was open is closed, a link is not written through."""
    make_folder(tmp_path / "a/b/c")
    write_private(tmp_path / "a/b/c/file", b"x")
    assert wide(tmp_path / "a") == []
    target = tmp_path / "target"
    target.write_text("theirs")
    (tmp_path / "a/link").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        write_private(tmp_path / "a/link", b"ours")
    assert target.read_text() == "theirs"
    (tmp_path / "a/file").write_text("old")
    write_private(tmp_path / "a/file", b"new")
    assert wide(tmp_path / "a") == []


def test_a_data_folder_that_was_open_is_closed(tmp_path: Path, open_umask):
    """With what Noctule keeps in it; workspaces keep their modes, links what they lead to."""
    home = tmp_path / "home"
    (home / "backups/0001-schema-0001").mkdir(parents=True)
    (home / "backups/0001-schema-0001/noctule.db").touch()
    (home / "noctule.log").touch()
    (home / "workspaces/s").mkdir(parents=True)
    (home / "workspaces/s/run.sh").touch(mode=0o755)
    theirs = tmp_path / "theirs"
    theirs.touch()
    (home / "link").symlink_to(theirs)
    assert home / "noctule.log" in open_to_others(home)
    assert home in narrow_home(home)
    assert open_to_others(home) == []
    assert all("/workspaces/s" in text for text in wide(home))
    assert stat.S_IMODE((home / "workspaces").stat().st_mode) == 0o700
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o666


def test_a_command_closes_the_data_folder_and_doctor_tells_of_one_that_is_open(tmp_path: Path):
    """Whoever opened it: the log has a line."""
    line = CommandLine(tmp_path)
    line.play({"small": [ANSWER]})
    assert line.run("chat", "hello").returncode == 0
    for path in (line.home, line.home / "noctule.db"):
        path.chmod(0o777)
    told = [finding.sentence for finding in machine.data_folder(line.home)]
    assert any("noctule.db" in sentence for sentence in told)
    assert line.run("sessions").returncode == 0
    assert wide(line.home) == []
    assert "readable by other users; that is fixed" in (line.home / "noctule.log").read_text()


def test_another_users_data_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They could read and change everything in it. Root's is the machine's, and root reads all."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 4242, -1)
    owner = tmp_path.stat().st_uid
    for user, refused in ((owner, False), (0, False), (owner + 1, True)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        with pytest.raises(UsageError, match="another user") if refused else nullcontext():
            close_home(tmp_path)


@pytest.mark.parametrize("trap", ["link", "pipe", "hard link"])
def test_the_log_is_written_to_nothing_that_was_put_in_its_place(trap: str, tmp_path: Path):
    """Neither a link nor a pipe, which would hang, nor another name of somebody's file."""
    home, theirs = tmp_path / "home", tmp_path / "theirs"
    home.mkdir(mode=0o700)
    theirs.touch()
    log = home / logs.FILE
    if trap == "link":
        log.symlink_to(theirs)
    elif trap == "pipe":
        os.mkfifo(log)
    else:
        os.link(theirs, log)
    kept = logs.keep_traceback(ValueError("broken"), home, ())
    assert kept is not None
    assert kept != log
    assert theirs.read_text() == ""
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    again = logs.keep_traceback(ValueError("broken"), home, ())
    assert again != kept  # nobody can know the name
    for path in (kept, again):
        path.unlink()


def test_files_of_a_sessions_own_are_private_and_a_persons_are_as_theirs(
    tmp_path: Path, open_umask
):
    """In a given folder an agent's files are made as the person's own programs would."""
    own = open_workspace(tmp_path / "home", "s1", None, most_bytes=10_000)
    own.put("a/b.txt", b"x", "call")
    assert wide(tmp_path / "home") == []
    (tmp_path / "project").mkdir()
    given = open_workspace(tmp_path / "home", "s2", tmp_path / "project", most_bytes=10_000)
    given.put("a/b.txt", b"x", "call")
    assert stat.S_IMODE((tmp_path / "project/a").stat().st_mode) == 0o777 & ~persons_umask()
    assert stat.S_IMODE((tmp_path / "project/a/b.txt").stat().st_mode) == 0o644
