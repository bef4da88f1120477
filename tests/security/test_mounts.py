"""What a command may write in a workspace: the list of mounts, the kernel, and the file tools."""

import os
from pathlib import Path

import pytest
import yaml

from noctule.core.settings import Settings
from noctule.core.settings.tools import ToolsSettings
from tests.support.small_config import CONFIG
from tests.support.workbench import a_context
from tools.base.git_places import GitWalk, repository_made
from tools.base.protected_paths import kept_paths, noctules_own
from tools.base.tool import ToolError
from tools.base.workspace import PathError, Workspace, open_workspace
from tools.files.file_writing import WriteFile
from tools.sandbox.mounts import Mount, MountError, check, mounts_of
from tools.sandbox.sandbox import Sandbox
from tools.shell.shell import Shell, ShellArguments

ROOT = Path("/work")
MIB = 1024 * 1024


def test_a_list_in_a_wrong_order_is_refused():
    """Whoever builds it, it is held against what it is for."""
    good = mounts_of(ROOT, writable=True, kept=[ROOT / "a/b"])
    check(good, ROOT, [ROOT / "a/b"])
    for bad in (list(reversed(good)), [*good, Mount(ROOT / "a", writable=True)], good[:1]):
        with pytest.raises(MountError):
            check(bad, ROOT, [ROOT / "a/b"])
    with pytest.raises(MountError, match="moved"):
        check([good[0], good[-1]], ROOT, [ROOT / "a/b"])


@pytest.mark.process
def test_a_layout_that_does_not_hold_is_found_by_trying(tmp_path: Path):
    """What the list says is not believed: a kept path that can be written stops commands."""

    class Leaking(Sandbox):
        def wrapped(self, argv, workspace, env, **more):
            mounts = [Mount(each.path, writable=True) for each in more.pop("mounts")]
            return super().wrapped(argv, workspace, env, mounts=mounts, **more)

    for kind in ("folder", "file"):
        path = tmp_path / kind
        path.mkdir() if kind == "folder" else path.write_text("mine")
        mounts = mounts_of(tmp_path, writable=True, kept=[path])
        with pytest.raises(MountError, match=kind):
            Leaking(ToolsSettings()).prove(Workspace(tmp_path, MIB), mounts)
    assert (tmp_path / "file").read_text() == "mine"
    assert list((tmp_path / "folder").iterdir()) == []


def a_project(tmp_path: Path) -> tuple[Path, Settings, Path]:
    """A project with everything Noctule obeys in it, one in the other."""
    project = (tmp_path / "project").resolve()
    for folder in ("noctule/tools/.git/hooks", "servers", "models", "venv/bin", "src"):
        (project / folder).mkdir(parents=True)
    for file in (
        "noctule/config.yaml",
        "noctule/tools/mine.py",
        "noctule/tools/.git/config",
        "servers/tickets.py",
        "servers/beside.py",
        "run.sh",
        "venv/pyvenv.cfg",
        "venv/bin/server",
        "models/tiny.gguf",
    ):
        (project / file).write_text("mine")
    for name in ("objects", "refs"):
        (project / "noctule" / name).mkdir()
    (project / "noctule" / "HEAD").write_text("ref: refs/heads/main\n")
    configured = Settings.model_validate(
        {
            **yaml.safe_load(CONFIG),
            "tools": {
                "folder": project / "noctule/tools",
                "mcp": {
                    "a": {"command": ["python3", str(project / "servers/tickets.py")]},
                    "b": {"command": [str(project / "venv/bin/server")]},
                    "c": {"command": ["sh", f"--rcfile={project}/run.sh"]},
                    "d": {"command": ["npx", "server-filesystem", str(project), f"{project}/src"]},
                },
            },
            "endpoints": {
                "near": {"kind": "embedded", "weights": project / "models/tiny.gguf"},
                "far": {"kind": "scripted", "local": False},
            },
        }
    )
    return project, configured, project / "noctule/config.yaml"


KEPT = (
    "noctule/config.yaml",
    "noctule/tools/mine.py",
    "noctule/tools/new.py",
    "servers/tickets.py",
    "servers/beside.py",
    "servers/json.py",
    "run.sh",
    "venv/bin/server",
    "venv/lib/evil.pth",
    "models/tiny.gguf",
)


async def test_whatever_the_configuration_obeys_is_kept_from_the_file_tools(tmp_path: Path):
    """Configuration, own tools, programs of MCP servers and what is loaded with them, weights."""
    project, configured, config = a_project(tmp_path)
    kept = kept_paths(configured, [config])
    workspace = open_workspace(tmp_path / "home", "s1", project, most_bytes=16 * MIB, kept=kept)
    written = []
    for path in KEPT:
        with pytest.raises(PathError, match=r"Noctule itself|git repository"):
            written.append((path, workspace.put(path, b"evil", "t")))
    assert written == []
    workspace.put("src/app.py", b"fine", "t")
    tool = WriteFile(configured.tools)
    arguments = tool.arguments.model_validate({"path": "servers/tickets.py", "content": "evil"})
    with pytest.raises(ToolError, match="Noctule itself"):
        await tool.run(arguments, a_context(workspace))


@pytest.mark.process
async def test_whatever_the_configuration_obeys_is_kept_from_commands(tmp_path: Path):
    """Though one lies in the other and a folder is dressed up as a repository around them."""
    project, configured, config = a_project(tmp_path)
    kept = kept_paths(configured, [config])
    workspace = open_workspace(tmp_path / "home", "s1", project, most_bytes=16 * MIB, kept=kept)
    evil = "; ".join(
        f"mkdir -p $(dirname {path}); echo evil >{path}; rm -f {path}" for path in KEPT
    )
    move = "mv noctule x; mv servers y; mv venv z; mv models m; mv noctule/tools t; mv run.sh r"
    tool = Shell(configured.tools, Sandbox(configured.tools))
    command = ShellArguments(command=f"{evil}; {move}; {evil}; echo fine >src/app.py; echo end")
    text = (await tool.run(command, a_context(workspace))).text
    assert "end" in text
    found = {path: (project / path).read_text() for path in KEPT if (project / path).exists()}
    assert set(found.values()) == {"mine"}
    assert len(found) == 7
    assert (project / "src/app.py").read_text() == "fine\n"


@pytest.mark.process
async def test_what_is_not_there_yet_is_not_made_for_noctule(tmp_path: Path):
    """A command that makes the folder of own tools finds it renamed."""
    project = (tmp_path / "project").resolve()
    project.mkdir()
    kept = [project / "own", project / "config.yaml"]
    workspace = open_workspace(tmp_path / "home", "s1", project, most_bytes=16 * MIB, kept=kept)
    tool = Shell(ToolsSettings(), Sandbox(ToolsSettings()))
    command = "mkdir own; echo evil >own/mine.py; echo evil >config.yaml; echo fine >other"
    text = (await tool.run(ShellArguments(command=command), a_context(workspace))).text
    assert "'own', 'config.yaml'" in text
    assert not any(path.exists() for path in kept)
    assert (project / "own.by-agent/mine.py").is_file()


def test_what_is_named_by_a_link_an_agent_could_exchange_is_refused(tmp_path: Path):
    """The link itself cannot be kept, so the folder is no workspace before it is named plainly."""
    project = tmp_path / "project"
    (project / "real").mkdir(parents=True)
    (project / "link").symlink_to("real")
    with pytest.raises(PathError, match=r"Name .*real"):
        open_workspace(tmp_path / "h", "s", project, most_bytes=1, kept=[project / "link/tools"])
    open_workspace(tmp_path / "h", "s", project, most_bytes=1, kept=[project / "real/tools"])


def test_noctule_s_own_python_is_kept_where_a_project_holds_it():
    """No file beside its packages runs at the next start, whichever tool would write it."""
    assert {path.name for path in noctules_own()} >= {"noctule", "agents", "site-packages"}
    for own in noctules_own():
        root = own.parent
        if str(root) in {"/", "/usr", "/usr/local"} or not own.is_dir():
            continue
        with pytest.raises(PathError, match="Noctule itself"):
            Workspace(root, MIB).put(str(own / "x.pth"), b"import os", "t")
    with pytest.raises(PathError, match="no workspace"):
        open_workspace(Path("/nowhere"), "s", Path(__file__).parents[2] / "tools", most_bytes=1)


def test_file_tools_complete_no_repository(tmp_path: Path):
    """Whichever of its parts comes last, and in whichever case, it is refused."""
    parts = {"HEAD": "ref: refs/heads/x\n", "objects/x": "", "refs/x": "", "config": "[core]"}
    orders = [
        ["config", "HEAD", "objects/x", "refs/x"],
        ["config", "refs/x", "objects/x", "HEAD"],
        ["objects/x", "HEAD", "config", "refs/x"],
    ]
    for number, order in enumerate(orders):
        for change in (str, str.lower, str.upper):
            root = tmp_path / f"{number}{change.__name__}"
            root.mkdir()
            workspace = Workspace(root.resolve(), MIB, own=False)
            for part in order[:-1]:
                workspace.put(f"sub/{change(part)}", parts[part].encode(), "t")
            with pytest.raises(PathError, match="git"):
                workspace.put(f"sub/{change(order[-1])}", parts[order[-1]].encode(), "t")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "HEAD").write_text("x")
    with pytest.raises(PathError, match="git"):
        Workspace(linked.resolve(), MIB).put("commondir", b"../evil", "t")
    assert repository_made(tmp_path, tmp_path / "objects" / "x") is None


@pytest.mark.process
async def test_no_setting_of_the_machine_can_be_changed_from_inside(tmp_path: Path):
    """Not even by root, whose number the files of /proc obey: all of /proc is read-only then."""
    tool = Shell(ToolsSettings(), Sandbox(ToolsSettings()))
    command = (
        "for f in /proc/sys/kernel/printk_ratelimit /proc/sys/vm/swappiness /proc/sysrq-trigger "
        "/proc/irq/default_smp_affinity /proc/mtrr /proc/pressure/cpu; do "
        "[ -e $f ] && v=$(cat $f 2>/dev/null); { echo $v >$f; } 2>/dev/null && echo WROTE $f; "
        "done; find /proc -maxdepth 4 -type f ! -path '/proc/[0-9]*' ! -path '/proc/*self/*' "
        "-writable 2>/dev/null | head -3; umount /proc 2>&1 | head -1; echo end"
    )
    text = (
        await tool.run(ShellArguments(command=command), a_context(Workspace(tmp_path, MIB)))
    ).text
    assert "WROTE" not in text
    if os.geteuid() == 0:
        assert text.splitlines()[-2:-1] != ["/proc/sys"]
        assert "/proc/sys" not in text
    assert text.rstrip().endswith("end")


STARTED = {
    "a link to a script": (["python3", "OUT/link.py"], {}, ["servers/x.py", "servers/beside.py"]),
    "imports at the top": (
        ["python3", "WS/top.py"],
        {},
        ["lib.py", "json.py", "email/__init__.py", "src/deep.py", "json.so"],
    ),
    "imports of JavaScript": (["node", "WS/top.js"], {}, ["part.js", "node_modules/a/i.js"]),
    "PYTHONPATH": (["python3", "-m", "m"], {"PYTHONPATH": "WS/servers:/usr"}, ["servers/m.py"]),
    "NODE_OPTIONS": (
        ["node", "index"],
        {"NODE_OPTIONS": "--require=WS/servers/a.js"},
        ["servers/a.js"],
    ),
    "LD_PRELOAD": (["server"], {"LD_PRELOAD": "WS/servers/x.py"}, ["servers/x.py"]),
    "PATH": (["env", "server"], {"PATH": "WS/servers:/bin"}, ["servers/python3"]),
    "a line": (["sh", "-c", "cd WS/servers && exec python3 x.py"], {}, ["servers/x.py"]),
    "a line's path": (["bash", "-lc", "python3 WS/servers/x.py"], {}, ["servers/beside.py"]),
    "options before": (["python3", "-I", "WS/servers"], {}, ["servers/__main__.py"]),
    "a package": (["npx", "-y", "WS/servers"], {}, ["servers/index.js"]),
    "go run": (["go", "run", "WS/servers"], {}, ["servers/main.go"]),
    "editable": (["uvx", "--with-editable", "WS/servers", "x"], {}, ["servers/new.py"]),
    "a class path": (["java", "-cp", "WS/a.jar:WS/servers", "M"], {}, ["a.jar", "servers/M.class"]),
    "a URL": (["node", "--import", "file://WS/servers/a.mjs"], {}, ["servers/a.mjs"]),
    "a manifest": (
        ["cargo", "run", "--manifest-path", "WS/servers/Cargo.toml"],
        {},
        ["servers/src/main.rs"],
    ),
    "no ending": (["python3", "-u", "WS/servers/x"], {}, ["servers/beside.py"]),
    "PHP": (["php", "WS/servers/a.php"], {}, ["servers/b.php"]),
    "glued": (["make", "-CWS/servers"], {}, ["servers/Makefile"]),
    "not there yet": (["python3", "WS/later.py"], {}, ["later.py"]),
}


@pytest.mark.parametrize("form", list(STARTED))
def test_what_a_server_loads_is_kept_however_its_command_says_it(tmp_path: Path, form: str):
    """By links, variables, lines for a shell, options, imports; what it works on is not."""
    command, env, evil = STARTED[form]
    root = a_server_project(tmp_path)

    def named(text: str) -> str:
        return text.replace("WS", str(root)).replace("OUT", str(tmp_path))

    words = [*map(named, command), f"--db={root}/data/a.db", f"{root}/docs"]
    told = {name: named(value) for name, value in {**env, "DATA": "WS/data"}.items()}
    server = {"command": words, "env": told}
    settings = Settings.model_validate({**yaml.safe_load(CONFIG), "tools": {"mcp": {"a": server}}})
    kept = kept_paths(settings, [])
    workspace = open_workspace(tmp_path / "home", "s1", root, most_bytes=16 * MIB, kept=kept)
    for path in evil:
        with pytest.raises(PathError, match="Noctule itself"):
            workspace.put(path, b"evil", "t")
    for path in ("other.py", "docs/a.md", "data/b.db", "email/a.txt", "tests/test_top.py"):
        workspace.put(path, b"fine", "t")


def a_server_project(tmp_path: Path) -> Path:
    """A project with servers at its top and in a folder, and a link to one outside."""
    root = (tmp_path / "project").resolve()
    for folder in ("servers/src", "src", "data", "docs", "email", "node_modules/a"):
        (root / folder).mkdir(parents=True)
    for name in ("x.py", "x", "a.js", "a.mjs", "a.php", "Cargo.toml", "beside.py", "src/main.rs"):
        (root / "servers" / name).write_text("mine")
    (root / "top.py").write_text("import lib\nfrom src import deep\n")
    (root / "top.js").write_text("const { a } = require('./part')\n")
    for name in ("lib.py", "src/deep.py", "part.js", "a.jar", "data/a.db"):
        (root / name).write_text("mine = 1\n")
    (tmp_path / "link.py").symlink_to(root / "servers/x.py")
    return root


@pytest.mark.process
async def test_a_command_makes_and_changes_nothing_that_a_server_at_the_top_imports(tmp_path: Path):
    """What is there cannot be written; a module that would stand before another is set aside."""
    root = a_server_project(tmp_path)
    server = {"command": ["python3", f"{root}/top.py"]}
    settings = Settings.model_validate({**yaml.safe_load(CONFIG), "tools": {"mcp": {"a": server}}})
    kept = kept_paths(settings, [])
    workspace = open_workspace(tmp_path / "home", "s1", root, most_bytes=16 * MIB, kept=kept)
    command = (
        "for f in lib.py src/deep.py json.py email/__init__.py other.py; do echo evil >$f; done;"
        "rm -f lib.py; mv src old; echo end"
    )
    tool = Shell(settings.tools, Sandbox(settings.tools))
    text = (await tool.run(ShellArguments(command=command), a_context(workspace))).text
    assert "set aside" in text
    assert {(root / name).read_text() for name in ("lib.py", "src/deep.py")} == {"mine = 1\n"}
    assert not (root / "json.py").exists()
    assert not (root / "email/__init__.py").exists()
    assert (root / "other.py").read_text() == "evil\n"


GITS_ELSEWHERE = (
    ".Git", ".g\u200cit", "\ufeff.git", ".git.", ".git ", ".git. .", "git~1", "GIT~2",
    ".git::$INDEX_ALLOCATION",
)  # fmt: skip


@pytest.mark.parametrize("name", GITS_ELSEWHERE)
def test_a_name_that_another_disk_reads_as_git_is_not_written(tmp_path: Path, name: str):
    """On HFS+, NTFS or FAT, mounted here or synchronized to, it is the repository itself."""
    workspace = Workspace(tmp_path.resolve(), MIB, own=False)
    with pytest.raises(PathError, match="belongs to git"):
        workspace.put(f"{name}/config", b"[core]\nfsmonitor=evil\n", "t")
    (tmp_path / "sub" / name).mkdir(parents=True)
    assert list(GitWalk(tmp_path)) == [f"sub/{name}"]


@pytest.mark.parametrize(
    "name", [".gitignore", ".github", ".gitattributes", "git", "x.git", ".git-by-agent"]
)
def test_names_that_only_begin_like_git_s_are_written(tmp_path: Path, name: str):
    """What projects are full of."""
    workspace = Workspace(tmp_path.resolve(), MIB, own=False)
    workspace.put(name, b"fine", "t")
    assert list(GitWalk(tmp_path)) == []
