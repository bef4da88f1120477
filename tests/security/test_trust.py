"""A project's code is trusted as it was seen: what has changed is shown, asked about, left out."""

import importlib.util
import json
import marshal
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from noctule.config import load, vetter
from noctule.config.project import Project
from noctule.config.trust import TrustStore
from noctule.config.which_file import Origin, choose
from noctule.core.clock import ManualClock
from noctule.core.settings.tools import ToolsSettings
from tests.support.mcp_stage import PROGRAM
from tools.custom import own_tools
from tools.mcp.adapters import McpHub
from tools.mcp.wire import running

FILES = (
    "own/hello.py",
    "own/deep/more.py",
    "servers/near.py",
    "servers/lib/a.py",
    "servers/node_modules/x.js",
    "far.sh",
    "conf/far.toml",
    "unrelated.py",
)
ROLES = ("chat", "orchestrator", "engineer", "research", "writer", "utility")
CONFIG: dict[str, Any] = {
    "endpoints": {"stage": {"kind": "scripted"}},
    "models": {"one": {"endpoint": "stage", "name": "one", "context": 8000}},
    "roles": {role: {"primary": "one"} for role in ROLES},
    "tools": {
        "folder": "own",
        "mcp": {
            "near": {"command": ["python3", "servers/near.py", "stdio"]},
            "far": {"command": ["./far.sh", "--config=conf/far.toml"]},
            "away": {"command": ["uvx", "some-server", "--db", "data.db"]},
        },
    },
}


class Place:
    """A project with code, a data folder, and nobody to be asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.home = folder / "home"
        self.environ = {"XDG_CONFIG_HOME": str(folder / "xdg"), "NOCTULE_HOME": str(self.home)}
        for name in FILES:
            self.write(name, f"# {name}\n")
        self.config = self.folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(CONFIG))
        self.asked: list[Project] = []

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def trust(self) -> None:
        TrustStore.of(self.home).remember(self.config, self.config.read_bytes(), trusted=True)

    def chosen(self, answer: bool | None = None, *, asks: bool = False):  # noqa: FBT001 - a word
        def ask(project: Project) -> bool | None:
            self.asked.append(project)
            return answer

        return choose(
            None,
            environ=self.environ,
            cwd=self.folder,
            home=self.home,
            ask=ask if asks else None,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("own/hello.py", "tools.folder"),
        ("own/deep/more.py", "tools.folder"),
        ("own/new.py", "tools.folder"),
        ("servers/near.py", "tools.mcp.near"),
        ("servers/lib/a.py", "tools.mcp.near"),
        ("servers/new.py", "tools.mcp.near"),
        ("far.sh", "tools.mcp.far"),
        ("conf/far.toml", "tools.mcp.far"),
    ],
)
def test_code_that_changed_is_left_out_by_night_and_the_rest_is_used(
    file: str, part: str, place: Place
):
    """Nobody can be asked: the configuration is used without it, and a line says what and why."""
    place.trust()
    assert place.chosen().left_out == ()
    place.write(file, "import os  # changed\n")
    choice = place.chosen()
    assert (choice.origin, choice.left_out) == (Origin.PROJECT, (part,))
    assert choice.warning is not None
    assert file in choice.warning
    assert "noctule trust" in choice.warning
    settings = load(environ=place.environ, cwd=place.folder).settings
    assert (settings.tools.folder is None) == (part == "tools.folder")
    names = {"near", "far", "away"} - {part.rpartition(".")[2]}
    assert set(settings.tools.mcp) == names
    place.trust()
    assert place.chosen().left_out == ()


def test_a_script_without_an_ending_is_code(place: Place):
    """What an interpreter reads first, and what is executable."""
    servers = {"a": {"command": ["python3", "-u", "run", "x"]}, "b": {"command": ["env", "tool"]}}
    place.config.write_text(yaml.safe_dump({**CONFIG, "tools": {"mcp": servers}}))
    place.write("run", "one\n")
    place.write("tool", "one\n")
    (place.folder / "tool").chmod(0o755)
    place.trust()
    place.write("run", "two\n")
    place.write("tool", "two\n")
    assert place.chosen().left_out == ("tools.mcp.a", "tools.mcp.b")


RUN = {
    "a": (["java", "-jar", "srv/a.jar"], "srv/a.jar"),
    "b": (["docker", "compose", "-f", "compose.yaml", "up"], "compose.yaml"),
    "c": (["npm", "--prefix", "srv", "start"], "srv/package.json"),
    "d": (["python3", "-Isrv", "-m", "mod"], "srv/mod.py"),
    "e": (["env", "PYTHONPATH=lib:srv", "python3", "-m", "mod"], "srv/mod.py"),
    "f": (["bash", "-c", "cd {}/srv && python3 run"], "srv/mod.py"),
    "g": (["make", "-f", "srv/all", "serve"], "srv/all"),
    "h": (["node", "-r./srv/x.cjs", "-e", "1"], "srv/x.cjs"),
    "i": (["go", "run", "./srv"], "srv/main.go"),
    "j": (["python3", "srv/run"], "srv/run"),
    "k": (["python3", "srv/mod.py"], "srv/native.so"),
    "l": (["java", "-cp", "lib:srv", "Main"], "srv/Main.class"),
}
WORKS_ON = (
    ["mcp-server-filesystem", "."],
    ["npx", "-y", "@modelcontextprotocol/server-filesystem", ".", "srv"],
    ["uvx", "mcp-server-git", "--repository", "."],
    ["uvx", "mcp-server-sqlite", "--db-path", "srv/data.db"],
)


@pytest.mark.parametrize("name", RUN)
def test_what_a_command_runs_in_another_way_is_code(name: str, place: Place):
    """Archives, build files, folders of modules, lines for a shell; for each way one."""
    words, file = RUN[name]
    command = [word.format(place.folder) for word in words]
    servers = {"a": {"command": command}}
    place.config.write_text(yaml.safe_dump({**CONFIG, "tools": {"mcp": servers}}))
    place.write("srv/mod.py", "one")
    place.write(file, "one")
    place.trust()
    place.write(file, "two")
    assert place.chosen().left_out == ("tools.mcp.a",)


@pytest.mark.parametrize("command", WORKS_ON, ids=" ".join)
def test_what_a_server_works_on_may_change(command: list[str], place: Place):
    """A server for files of the project goes on while somebody works in the project."""
    servers = {"a": {"command": command}}
    place.config.write_text(yaml.safe_dump({**CONFIG, "tools": {"mcp": servers}}))
    for text in ("one", "two"):
        place.write("srv/mod.py", text)
        place.write("srv/data.db", text)
        if text == "one":
            place.trust()
    assert place.chosen().left_out == ()


def _plant_bytecode(source: Path, code: bytes) -> None:
    """Put bytecode where Python looks for it, unchecked (PEP 552): no time or content matters."""
    cached = Path(importlib.util.cache_from_source(str(source)))
    cached.parent.mkdir()
    cached.write_bytes(importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + bytes(8) + code)


def test_bytecode_beside_a_tool_is_not_run(tmp_path: Path):
    """It needs not fit the file that was looked at, and Python itself would take it."""
    path = tmp_path / "mine.py"
    text = "from langchain_core.tools import tool\n@tool\ndef {}(a: str) -> str:\n    'A.'\n"
    path.write_text(text.format("good"))
    evil = compile(text.format("evil"), str(path), "exec")
    _plant_bytecode(path, marshal.dumps(evil))
    problems: list[str] = []
    found = own_tools(ToolsSettings(folder=tmp_path), problems)
    assert ([tool.name for tool in found], problems) == (["good"], [])


@pytest.mark.parametrize("gone", ["own/deep/more.py", "servers/lib/a.py", "far.sh"])
def test_code_that_is_gone_has_changed(gone: str, place: Place):
    """Another file of that name may be found in its place elsewhere."""
    place.trust()
    (place.folder / gone).unlink()
    assert len(place.chosen().left_out) == 1


def test_what_the_configuration_does_not_run_is_not_asked_about(place: Place):
    """Work goes on in a project; what package managers fetched is not hashed."""
    place.trust()
    place.write("unrelated.py", "changed\n")
    place.write("servers/node_modules/x.js", "changed\n")
    place.write("docs/readme.md", "new\n")
    place.write("data.db", "new\n")
    place.write("servers/memory.json", "new\n")
    assert place.chosen().left_out == ()


def test_a_person_is_shown_what_changed_and_asked_again(place: Place):
    """The names of files, and the lines of the configuration; a no is a no to all of it."""
    place.trust()
    place.write("own/hello.py", "import os\n")
    assert place.chosen(None, asks=True).left_out == ("tools.folder",)
    (project,) = place.asked
    assert project.changed
    assert project.news() == ["the code of tools.folder has changed: own/hello.py"]
    assert place.chosen(True, asks=True).left_out == ()
    assert place.chosen(asks=True).left_out == ()
    assert len(place.asked) == 2
    changed = {**CONFIG, "tools": {**CONFIG["tools"], "sandbox": "none"}}
    place.config.write_text(yaml.safe_dump(changed))
    assert place.chosen(False, asks=True).origin is not Origin.PROJECT
    assert place.asked[-1].news() == ["+  sandbox: none"]


def test_an_answer_of_an_older_version_covers_no_code(place: Place):
    """It was given when nobody had looked at the code: it is asked about once."""
    place.trust()
    store = place.home / "trusted-configurations.json"
    entries = yaml.safe_load(store.read_text())
    for entry in entries.values():
        del entry["code"], entry["text"]
    store.write_text(json.dumps(entries))
    assert set(place.chosen().left_out) == {"tools.folder", "tools.mcp.near", "tools.mcp.far"}
    assert place.chosen(True, asks=True).left_out == ()


def test_a_link_is_followed_to_what_it_runs(place: Place, tmp_path: Path):
    """A link to a script outside changes when the script does, or when the link is exchanged."""
    outside = tmp_path / "outside.sh"
    outside.write_text("one\n")
    (place.folder / "far.sh").unlink()
    (place.folder / "far.sh").symlink_to(outside)
    place.trust()
    outside.write_text("two\n")
    assert place.chosen().left_out == ("tools.mcp.far",)


@pytest.mark.process
async def test_a_server_whose_code_changed_meanwhile_is_not_started_again(place: Place):
    """A night is long: it is looked at before each start. Others go on; its problem says why."""
    place.write("servers/near.py", PROGRAM.read_text())
    place.write("far.py", PROGRAM.read_text())
    servers = {
        "near": {"command": ["python3", "servers/near.py", "stdio"]},
        "far": {"command": ["python3", "far.py", "stdio"]},
    }
    place.config.write_text(yaml.safe_dump({**CONFIG, "tools": {"mcp": servers}}))
    place.trust()
    loaded = load(environ=place.environ, cwd=place.folder)
    place.write("servers/near.py", PROGRAM.read_text() + "# by night\n")
    hub = McpHub(loaded.settings.tools.mcp, ManualClock(), vetter(loaded))
    try:
        hub.begin()
        await hub.ready(["near", "far"])
        problems = hub.problems(["near", "far"])
    finally:
        await hub.close()
    assert [p for p in problems if "'near'" in p and "servers/near.py" in p and "trust" in p]
    assert not [p for p in problems if "'far'" in p and "changed" in p]


@pytest.mark.process
def test_no_module_is_taken_from_the_folder_one_stands_in(tmp_path: Path):
    """``python -m`` puts it first on the path; a file there may be called like any library."""
    home, hostile = tmp_path / "home", tmp_path / "hostile"
    hostile.mkdir()
    ran = str(tmp_path / "ran")
    for name in ("click", "yaml", "pydantic", "sqlalchemy", "storage", "tools", "graphs"):
        (hostile / f"{name}.py").write_text(f"open({ran!r}, 'a').write({name!r})\n")
    env = {**os.environ, "NOCTULE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    for flags in ([], ["-P"]):
        words = [sys.executable, *flags, "-m", "noctule", "sessions"]
        done = subprocess.run(words, cwd=hostile, env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert not Path(ran).exists()


@pytest.mark.process
async def test_bytecode_beside_a_module_of_a_server_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Only the file itself was looked at; what Python keeps of it lies in a private folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    module, script = tmp_path / "mod.py", tmp_path / "server.py"
    script.write_text("import mod, sys\nprint(mod.X, file=sys.stderr)\n")
    module.write_text("X = 'good'\n")
    evil = marshal.dumps(compile("X = 'evil'", "mod.py", "exec"))
    _plant_bytecode(module, evil)
    async with running([sys.executable, str(script)], {}) as program:
        await program.over
    assert program.last_words() == "good"
    (folder,) = (tmp_path / "home").rglob("bytecode")
    assert folder.stat().st_mode & 0o077 == 0
