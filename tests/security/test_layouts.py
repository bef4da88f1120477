"""Whatever a workspace looks like, nothing that is kept can be written in it or moved away."""

import asyncio
import sys
from pathlib import Path

import pytest

from noctule.core.settings.tools import ToolsSettings
from tests.support.fuzzing import examples, factor
from tests.support.layouts import Layout, MountTable, breaches, build, layouts
from tests.support.workbench import a_context
from tools.base.workspace import Workspace
from tools.sandbox.mounts import Repositories, mounts_of
from tools.sandbox.sandbox import Sandbox
from tools.shell.shell import Shell, ShellArguments

ROOT = Path("/srv/project")
MIB = 1024 * 1024
SEED = 11 if factor() == 1 else None
"""The same layouts in each `make test`, others in each `make fuzz`."""

ATTACK = """
import os, shutil, sys
tried = 0
def attempt(*call):
    global tried
    tried += 1
    try:
        call[0](*call[1:])
    except OSError:
        pass
def put(path, mode):
    with open(path, mode) as file:
        file.write("evil")
def swap(path):
    put("/tmp/evil", "w"); shutil.copy("/tmp/evil", ".evil"); os.replace(".evil", path)
for where, folders, files in sorted(os.walk("."), reverse=True):
    for name in files:
        path = os.path.join(where, name)
        for call in ((put, path, "a"), (put, path, "r+"), (put, path, "w"), (os.truncate, path, 0),
                     (os.link, path, path + ".link"), (put, path + ".link", "a"),
                     (os.chmod, path, 0o777), (swap, path), (os.rename, path, path + ".x"),
                     (put, path, "w"), (os.unlink, path), (os.symlink, "/etc/hostname", path)):
            attempt(*call)
    attempt(put, os.path.join(where, "new"), "w")
    attempt(os.mkdir, os.path.join(where, "newer"))
    if where != ".":
        for call in ((os.rename, where, where + ".x"), (os.mkdir, where), (os.rmdir, where),
                     (os.symlink, "/tmp", where), (put, os.path.join(where, "file"), "w")):
            attempt(*call)
        attempt(shutil.rmtree, where)
        attempt(put, where, "w")
print("tried", tried)
"""


def special(layout: Layout, root: Path) -> tuple[list[Path], Repositories]:
    """Return what is kept, and what of git's is, as its guard finds them."""
    git = [root / one / ".git" for one in layout.repositories] + [root / one for one in layout.bare]
    modules = [one / "modules" for one in git]
    inner = [one / "sub" for one in modules]
    fixed = [one / name for one in (*git, *inner) for name in ("config", "hooks", "commondir")]
    return [root / one for one in layout.kept], Repositories([*git, *inner], modules, fixed)


@pytest.mark.fuzz
def test_in_no_layout_can_what_is_kept_be_written_or_moved(tmp_path: Path):
    """Held against a model of mounts that reads bubblewrap's own words; the rest can be written."""
    sandbox = Sandbox(ToolsSettings())
    root = tmp_path.resolve()
    workspace = Workspace(root, MIB)
    gave_way: list[str] = []
    unusable = 0
    for layout in layouts(SEED, examples(500)):
        kept, git = special(layout, root)
        mounts = mounts_of(root, writable=True, kept=kept, repositories=git)
        table = MountTable.of(sandbox.wrapped(["true"], workspace, {}, mounts=mounts))
        for one in kept:
            gave_way += breaches(table, root, one)
        for one in (*git.fixed, *(one / "new" for one in git.framed)):
            gave_way += [f"write {one}"] if table.writable(one) else []
        for one in git.pinned:
            gave_way += [f"move {one}"] if table.movable(one) else []
        for folder in (*map(root.joinpath, layout.folders), *git.pinned):
            held = any(one in (folder, *folder.parents) for one in (*kept, *git.fixed))
            unusable += table.writable(folder / "new") is held
        gave_way += [
            f"write {one}" for one in map(Path, ("/", "/etc", "/usr")) if table.writable(one)
        ]
    assert gave_way == []
    assert unusable == 0


def test_the_model_finds_what_gives_way():
    """A mount in the wrong place or order, a folder on the way that can be moved."""
    kept = ROOT / "a/b"
    good = ["--bind", f"{ROOT}", f"{ROOT}", "--bind", f"{ROOT}/a", f"{ROOT}/a"]
    read_only = ["--ro-bind", f"{kept}", f"{kept}"]
    assert breaches(MountTable.of([*good, *read_only]), ROOT, kept) == []
    assert breaches(MountTable.of([*good[3:], *read_only, *good[:3]]), ROOT, kept)[0] == (
        f"write {kept}"
    )
    assert breaches(MountTable.of([*good[:3], *read_only]), ROOT, kept) == [f"move {ROOT}/a"]
    inner = ["--bind", f"{kept}/c", f"{kept}/c"]
    assert breaches(MountTable.of([*good, *read_only, *inner]), ROOT, kept) == [f"write {kept}/c"]
    assert breaches(MountTable.of([*good, *read_only, "--", *inner]), ROOT, kept) == []


@pytest.mark.fuzz
@pytest.mark.process
def test_in_no_layout_that_is_built_is_what_is_kept_changed(tmp_path: Path):
    """The whole way of a command, git's guard too, and a program that tries all it can."""
    tool = Shell(ToolsSettings(), Sandbox(ToolsSettings()))
    changed, attempts = [], 0
    for number, layout in enumerate(layouts(SEED, examples(10))):
        root = (tmp_path / str(number)).resolve()
        root.mkdir()
        build(layout, root)
        kept, _ = special(layout, root)
        (root / "free").write_text("mine")
        before = {path: path.read_bytes() for path in files_in(kept)}
        workspace = Workspace(root, 16 * MIB, own=False, kept=tuple(kept), records=tmp_path / "r")
        command = f"{sys.executable} -I -S - <<'END'\n{ATTACK}\nEND\n"
        result = asyncio.run(tool.run(ShellArguments(command=command), a_context(workspace)))
        assert "tried " in result.text, result.text
        attempts += int(result.text.partition("tried ")[2].split()[0])
        changed += [
            (layout, path)
            for path, content in before.items()
            if path.is_symlink() or not path.is_file() or path.read_bytes() != content
        ]
        changed += [(layout, path) for path in files_in(kept) if path not in before]
        changed += [(layout, path) for path in obeyed_by_git(root)]
        assert (root / "free").is_symlink()  # what is not kept gave way
    assert changed == []
    assert attempts > 20 * examples(10)


def files_in(kept: list[Path]) -> set[Path]:
    """Return every file that stays as it is."""
    found = set()
    for one in kept:
        every = [one, *one.rglob("*")] if one.is_dir() else [one]
        found |= {path for path in every if path.is_file()}
    return found


def obeyed_by_git(root: Path) -> list[Path]:
    """Return what a person's git would obey in a workspace that was not theirs before."""
    found = []
    for head in root.rglob("HEAD"):
        if all((head.parent / name).is_dir() for name in ("objects", "refs")):
            hooks = list((head.parent / "hooks").glob("*"))
            config = head.parent / "config"
            kept = config.is_file() and config.read_text() == "[core]\n"
            found += [*hooks, *([] if kept else [config])]
    return found
