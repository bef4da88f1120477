import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("noctule", "agents", "graphs", "tools", "storage")
SOURCES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path.is_file()
)
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCES
    # Alembic runs its environment and versions itself; a child's entry and __main__ start things.
    if "migrations" not in path.parts and path.name not in {"__main__.py", "child.py"}
)


def run(code: str, *, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_planted_forbidden_import_is_caught(tmp_path):
    """The import contracts really fail when core imports storage."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "noctule/core/planted.py").write_text("import storage.open\n")
    linter = Path(sys.executable).with_name("lint-imports")
    # The copy must be what is read, not the checkout that is installed.
    given = {**os.environ, "PYTHONPATH": str(tmp_path)}
    planted = subprocess.run(
        [str(linter), "--no-cache"],
        cwd=tmp_path,
        env=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert planted.returncode == 1, planted.stdout + planted.stderr
    assert "noctule.core.planted" in planted.stdout


def test_importing_everything_is_silent():
    """No module prints, logs, starts a thread or opens a socket when it is imported."""
    imports = "\n".join(f"import {module}" for module in MODULES)
    code = (
        "import sys, threading, logging\n"
        "before = threading.active_count()\n"
        f"{imports}\n"
        "assert threading.active_count() == before, threading.enumerate()\n"
        "assert not logging.getLogger().handlers, logging.getLogger().handlers\n"
    )
    done = run(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_langgraph_refuses_unknown_types_in_stored_state():
    """Importing graphs first of all leaves LangGraph's strict flag on."""
    done = run(
        "import graphs.turn, langgraph.checkpoint.serde.jsonplus as serde, os\n"
        "print(os.environ['LANGGRAPH_STRICT_MSGPACK'])\n"
    )
    assert (done.stdout.strip(), done.returncode) == ("true", 0), done.stderr


def test_no_file_is_too_long():
    """No source file has more than 600 lines, nor a name that says nothing."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert [f"{path}: {count} lines" for path, count in lines.items() if count > 600] == []
    assert [path for path in SOURCES if path.stem in {"helpers", "common", "utils", "misc"}] == []


@pytest.mark.parametrize(
    "folder",
    [
        "agents",
        "graphs",
        "tools",
        "storage",
        "noctule",
        "noctule/core",
        "noctule/models",
        "noctule/sessions",
        "noctule/channels",
        "noctule/cli",
        "tests",
        "benchmarks",
    ],
)
def test_every_folder_says_what_is_in_it(folder):
    """A short README in each folder names every Python file of that folder."""
    text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    names = [path.name for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py"]
    assert [name for name in names if name not in text] == []


def test_nothing_shipped_is_named_like_a_test():
    """No shipped module is called test_*: test runners would collect it."""
    assert [path for path in SOURCES if path.name.startswith("test_")] == []


def test_every_public_error_says_what_it_means():
    """Every error class has a docstring of its own."""
    tree = ast.parse((ROOT / "noctule/core/errors.py").read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert [node.name for node in classes if not ast.get_docstring(node)] == []
