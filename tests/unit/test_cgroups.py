"""Cgroups, against a tree of files that looks like the kernel's."""

import os
from pathlib import Path

import pytest

from noctule.core.clock import SystemClock
from tools.shell.cgroups import Cgroups, ControlGroup
from tools.shell.processes import Bounds, ProgramRun, run_bounded

FILES = ("memory.max", "pids.max", "memory.swap.max", "memory.oom.group", "cgroup.kill")


class Tree:
    """A cgroup tree under which this process is in ``/user/app/own``."""

    def __init__(self, root: Path) -> None:
        self.mount, self.own = root / "cgroup", root / "own"
        self.here = self.mount / "user/app/own"
        self.here.mkdir(parents=True)
        self.own.write_text("1:name=x:/elsewhere\n0::/user/app/own\n")
        for folder in (self.mount, self.here.parent, self.here):
            (folder / "cgroup.controllers").write_text("cpu memory pids\n")
            (folder / "cgroup.subtree_control").write_text("")
            (folder / "cgroup.procs").write_text("")
        (self.here / "cgroup.procs").write_text(f"{os.getpid()}\n")

    def cgroups(self) -> Cgroups:
        return Cgroups(self.mount, self.own)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_an_ordinary_user_s_service_makes_them_beside_itself(tree: Tree, monkeypatch):
    """Where the folder above is theirs and has the controllers on."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tree.here.parent / "cgroup.subtree_control").write_text("cpu memory pids\n")
    cgroups = tree.cgroups()
    group = cgroups.made(memory_bytes=2**30, processes=256)
    assert group is not None
    folder = Path(group.entering(["true"])[3]).parent
    assert folder.parent == tree.here.parent
    assert (folder / "memory.max").read_text() == str(2**30)
    assert (folder / "pids.max").read_text() == "256"
    assert (tree.here / "cgroup.procs").read_text() == f"{os.getpid()}\n"


def test_one_that_is_alone_in_its_own_moves_one_down_and_divides_it(tree: Tree):
    """As ``Delegate=yes`` means it."""
    cgroups = tree.cgroups()
    group = cgroups.made(memory_bytes=1, processes=2)
    assert group is not None
    assert (tree.here / "noctule/cgroup.procs").read_text() == str(os.getpid())
    assert (tree.here / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert Path(group.entering([])[3]).parent.parent == tree.here


@pytest.mark.parametrize("lacking", ["others", "controllers", "v2", "path", "closed"])
def test_elsewhere_there_are_none_and_nothing_is_changed(tree: Tree, lacking: str, monkeypatch):
    """With others beside it, without controllers, on version 1, in no place that can be known."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    if lacking == "others":
        (tree.here / "cgroup.procs").write_text(f"{os.getpid()}\n1\n")
    elif lacking == "controllers":
        (tree.here / "cgroup.controllers").write_text("hugetlb\n")
    elif lacking == "v2":
        (tree.mount / "cgroup.controllers").unlink()
    elif lacking == "path":
        tree.own.write_text("0::/../../other\n")
    else:
        monkeypatch.setattr(os, "access", lambda *_: False)
    before = sorted(tree.mount.rglob("*"))
    cgroups = tree.cgroups()
    assert cgroups.made(memory_bytes=1, processes=1) is None
    assert sorted(tree.mount.rglob("*")) == before


def test_what_the_kernel_ended_is_told(tmp_path: Path):
    """Ended for memory, or not; refused processes end nothing."""
    group = ControlGroup(tmp_path)
    assert group.excess() is None
    (tmp_path / "memory.events").write_text("low 0\nmax 9\noom 1\noom_kill 0\n")
    (tmp_path / "pids.events").write_text("max 3\n")
    assert group.excess() is None
    (tmp_path / "memory.events").write_text("oom_kill 2\noom_group_kill 1\n")
    assert "more memory" in (group.excess() or "")


def test_a_group_that_is_still_left_by_its_last_is_removed_soon(tmp_path: Path, monkeypatch):
    """The kernel needs a moment; one that never goes holds nobody up for long."""
    tries = []

    def rmdir(folder: Path) -> None:
        tries.append(folder)
        if len(tries) < 4:
            raise OSError(16, "busy")

    monkeypatch.setattr(Path, "rmdir", rmdir)
    ControlGroup(tmp_path).remove()
    assert len(tries) == 4
    assert (tmp_path / "cgroup.kill").read_text() == "1"


@pytest.mark.process
async def test_a_command_enters_its_group_before_it_begins(tree: Tree, tmp_path: Path):
    """What it prints shows it; whether entering worked or not, it runs and is counted."""
    group_files: list[str] = []
    order = ProgramRun(
        ["/bin/sh", "-c", f"cat {tree.here}/noctule-*/cgroup.procs; echo ran"], tmp_path, {}, True
    )
    bounds = Bounds(seconds=10, memory_bytes=2**30, file_bytes=2**30)
    ended = await run_bounded(order, bounds, SystemClock(), groups=tree.cgroups())
    group_files += ended.output.split()
    assert group_files == ["0", "ran"]
    assert ended.stopped is None
