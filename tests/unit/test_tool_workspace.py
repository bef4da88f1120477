import os
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.workbench import a_workspace
from tools.base.workspace import PART_PREFIX, PathError, Workspace, open_workspace


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path / "work"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "app.py").write_text("print(1)\n")
    return a_workspace(folder)


@pytest.mark.parametrize(
    "text",
    [
        "..",
        "../outside/secret.txt",
        "src/../../outside/secret.txt",
        "/etc/passwd",
        "/",
        "//etc/passwd",
        "/proc/self/root/etc/passwd",
        "src/./../../work2",
        "~/.ssh/id_rsa",
        "~",
        "",
        "a\0b",
        "a\nb",
        "\x7f",
        "\ud800",
        "x" * 256,
        "/".join(["x" * 200] * 30),
    ],
)
def test_a_path_that_leads_out_or_is_none_is_refused_with_a_sentence(
    workspace: Workspace, text: str
):
    """Nothing but a path inside the workspace is taken for one."""
    with pytest.raises(PathError, match=r"[.]$"):
        workspace.resolve(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".", "."),
        ("./src//app.py", "src/app.py"),
        ("src/../src/app.py", "src/app.py"),
        ("new/deep/file", "new/deep/file"),
        ("..hidden", "..hidden"),
        ("src/app.py/", "src/app.py"),
    ],
)
def test_a_path_inside_is_taken_in_any_form(workspace: Workspace, text: str, path: str):
    """Dots and doubled slashes do no harm where they lead nowhere else."""
    assert workspace.relative(workspace.resolve(text)) == path


def test_an_absolute_path_inside_is_taken(workspace: Workspace):
    """Tracebacks name absolute paths, and agents copy them."""
    assert workspace.relative(workspace.resolve(f"{workspace.root}/src/app.py")) == "src/app.py"


def test_a_neighbour_whose_name_begins_alike_is_outside(workspace: Workspace):
    """``/x/work2`` is not inside ``/x/work``."""
    with pytest.raises(PathError):
        workspace.resolve(f"{workspace.root}2/file")


@given(
    st.lists(
        st.sampled_from(["..", ".", "a", "b", "in", "out", "loop", "up", "~", "", "c\0", "é", "/"]),
        max_size=8,
    ).map("/".join)
)
def test_no_path_ever_resolves_outside(tmp_path_factory: pytest.TempPathFactory, text: str):
    """Whatever a model writes, and whatever links there are, it is inside or refused."""
    base = tmp_path_factory.getbasetemp() / "paths"
    work = base / "work"
    if not base.exists():
        (work / "a" / "b").mkdir(parents=True)
        (work / "in").symlink_to("a/b")
        (work / "out").symlink_to("/etc")
        (work / "loop").symlink_to("loop")
        (work / "a" / "up").symlink_to("../..")
    workspace = a_workspace(work)
    try:
        path = workspace.resolve(text)
    except PathError:
        return
    assert path == work or work in path.parents
    assert os.path.realpath(path) == str(path)


@given(st.text(max_size=40))
def test_any_text_at_all_is_inside_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str):
    """Text of any letters never gives anything but a path inside or a refusal."""
    workspace = a_workspace(tmp_path_factory.getbasetemp())
    try:
        path = workspace.resolve(text)
    except PathError:
        return
    assert path == workspace.root or workspace.root in path.parents


def test_symlinks_that_leave_are_refused_and_those_that_stay_are_followed(
    workspace: Workspace, outside: Path
):
    """A link is as good as what it points to."""
    (workspace.root / "out").symlink_to(outside)
    (workspace.root / "file").symlink_to(outside / "secret.txt")
    (workspace.root / "in").symlink_to("src")
    (workspace.root / "circle").symlink_to("circle")
    for text in ("out", "out/secret.txt", "out/new.txt", "file", "circle", "circle/x"):
        with pytest.raises(PathError):
            workspace.resolve(text)
    assert workspace.content("in/app.py") == b"print(1)\n"


def test_writing_through_a_link_to_the_outside_changes_nothing_there(
    workspace: Workspace, outside: Path
):
    """Neither a linked file nor a linked folder lets a write out."""
    (workspace.root / "file").symlink_to(outside / "secret.txt")
    (workspace.root / "out").symlink_to(outside)
    for text in ("file", "out/new.txt"):
        with pytest.raises(PathError):
            workspace.put(text, b"x", "call")
    assert (outside / "secret.txt").read_text() == "secret"
    assert [p.name for p in outside.iterdir()] == ["secret.txt"]


def test_pipes_sockets_and_devices_are_refused_at_once(workspace: Workspace):
    """Opening a pipe that nobody writes to would hang for ever."""
    os.mkfifo(workspace.root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(workspace.root)
        listener.bind("socket")
        os.chdir(here)
        for text in ("pipe", "socket"):
            with pytest.raises(PathError, match="neither"):
                workspace.content(text)
            with pytest.raises(PathError, match="neither"):
                workspace.put(text, b"", "call")


def test_a_path_exchanged_while_it_is_opened_leads_nowhere(workspace: Workspace, outside: Path):
    """A folder that keeps changing into a link to the outside never lets a file of it be seen."""
    workspace = replace(workspace, own=False)  # its size is not of interest, and slow to know
    (outside / "app.py").write_text("secret")
    swapped, link = workspace.root / "swapped", workspace.root / "link"
    link.symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        for number in range(20_000):
            swapped.mkdir(exist_ok=True)
            (swapped / "app.py").write_text("fine")
            swapped.rename(workspace.root / f"aside{number}")
            with suppress(OSError):  # the reader may have made the folder meanwhile
                link.rename(swapped)
                swapped.rename(link)
            if stop.is_set():
                return

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(300):
            try:
                assert workspace.content("swapped/app.py") in (b"fine", b"", None)
                workspace.put("swapped/new.txt", b"x", f"call {number}")
            except PathError:
                continue
    finally:
        stop.set()
        thread.join()
    assert sorted(p.name for p in outside.iterdir()) == ["app.py", "secret.txt"]


def test_a_file_is_replaced_as_a_whole_and_keeps_its_permissions(workspace: Workspace):
    """An executable stays one, and no part file is left."""
    script = workspace.root / "run.sh"
    script.write_text("old")
    script.chmod(0o755)
    workspace.put("run.sh", b"new", "call")
    assert (script.read_text(), script.stat().st_mode & 0o777) == ("new", 0o755)
    assert not list(workspace.root.glob(f"{PART_PREFIX}*"))


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path):
    """A workspace of its own is bounded in all; replacing a file frees what it held."""
    workspace = a_workspace(tmp_path, most_bytes=100_000)
    workspace.put("a", b"x" * 60_000, "call")
    with pytest.raises(PathError, match="do not fit"):
        workspace.put("b", b"x" * 60_000, "call")
    workspace.put("a", b"y" * 60_000, "call")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_given_folder_may_be_larger_than_what_one_call_may_add(tmp_path: Path):
    """A large project is still one that can be worked on."""
    (tmp_path / "big").write_bytes(b"x" * 300_000)
    workspace = a_workspace(tmp_path, most_bytes=100_000, own=False)
    workspace.put("a", b"x" * 60_000, "call")
    with pytest.raises(PathError, match="do not fit"):
        workspace.put("b", b"x" * 160_000, "call")


def test_a_session_gets_a_folder_that_nobody_else_may_enter(tmp_path: Path):
    """The folder is made once and found again."""
    workspace = open_workspace(tmp_path, "01ab-cd_ef", None, most_bytes=10)
    assert workspace.root == tmp_path.resolve() / "workspaces" / "01ab-cd_ef"
    assert workspace.root.stat().st_mode & 0o777 == 0o700
    assert workspace.own
    assert open_workspace(tmp_path, "01ab-cd_ef", None, most_bytes=10) == workspace
    with pytest.raises(PathError):
        open_workspace(tmp_path, "../x", None, most_bytes=10)


def test_a_given_folder_is_taken_unless_it_holds_more_than_a_project(tmp_path: Path):
    """Home, the root of the disk and Noctule's own records are no workspaces."""
    home, project = tmp_path / "data", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    given = open_workspace(home, "s", project, most_bytes=10)
    assert (given.root, given.own) == (project.resolve(), False)
    for folder in (
        Path("/"),
        Path("/usr"),
        Path.home(),
        home,
        tmp_path,
        home / "workspaces",
        project / "none",
    ):
        with pytest.raises(PathError):
            open_workspace(home, "s", folder, most_bytes=10)


@pytest.mark.parametrize(
    "text", [".git/hooks/pre-commit", "sub/.git/config", ".GIT/config", ".git"]
)
def test_what_belongs_to_git_is_not_written(workspace: Workspace, text: str):
    """A hook written there would run at the person's next commit."""
    with pytest.raises(PathError, match="belongs to git"):
        workspace.put(text, b"x", "call")
    with pytest.raises(PathError):
        workspace.remove(text)
    workspace.put(".gitignore", b"x", "call")


def test_what_tools_keep_in_a_project_is_ignored_by_git(workspace: Workspace):
    """Nobody commits the output of a tool by mistake."""
    workspace.put(".noctule/call.txt", b"x", "call")
    workspace.put(".noctule/other.txt", b"x", "call")
    assert workspace.content(".noctule/.gitignore") == b"*\n"
    assert workspace.content("src/.gitignore") is None
