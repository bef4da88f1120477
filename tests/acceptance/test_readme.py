import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from noctule.config import load_text
from tests.support.command_line import wait_until

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
NOT_RUN = "not run by tests/acceptance/test_readme.py: "
BESIDE = "beside what follows: "

_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>.*?) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_ID = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?\b"
"""Whole, or the end of it, by which sessions are named."""
_VARIES = re.compile(
    rf"(?P<id>{_ID})|(?P<time>\d\d:\d\d:\d\d)|(?P<date>\d{{4}}-\d\d-\d\d)|(?P<cut>…)"
    r"|(?P<number>[\d.]+)|(?P<space> +)"
)
_PATTERNS = {
    "id": _ID,
    "time": r"\d\d:\d\d:\d\d",
    "date": r"\d{4}-\d\d-\d\d",
    "cut": ".*",
    "number": r"[\d.]+",
    "space": " +",
}


@dataclass(frozen=True)
class Block:
    """One fenced block of the README."""

    kind: str
    text: str
    mark: str

    @property
    def is_run(self) -> bool:
        return not self.mark.startswith(NOT_RUN)

    def steps(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each command of a screen with the lines shown below it."""
        for step in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, *shown = step.splitlines()
            yield command, shown


BLOCKS = [
    Block(found["kind"], found["text"], found["mark"] or "")
    for found in _FENCE.finditer(README.read_text(encoding="utf-8"))
]


def like(shown: str) -> str:
    """Return a pattern for a line of a screen: ids, times and measured numbers may differ."""
    parts, at = [], 0
    for found in _VARIES.finditer(shown):
        parts += [re.escape(shown[at : found.start()]), _PATTERNS[str(found.lastgroup)]]
        at = found.end()
    return "".join([*parts, re.escape(shown[at:])])


def missing(shown: list[str], said: str) -> str | None:
    """Return the first line of a screen that does not come in its turn; None when all do."""
    lines = iter(said.splitlines())
    for line in shown:
        if line.strip() not in {"", "…"}:
            pattern = re.compile(like(line.rstrip()))
            if not any(pattern.fullmatch(real.rstrip()) for real in lines):
                return line
    return None


def wait_for(shown: list[str], said: Path) -> None:
    """Wait until a process that still runs has said what is shown."""
    try:
        wait_until(lambda: missing(shown, said.read_text()) is None, seconds=150)
    except AssertionError as error:
        raise AssertionError(f"{missing(shown, said.read_text())}\n{said.read_text()}") from error


class Shell:
    """A shell of a newcomer: an empty home, the README's folder, and what was exported so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "examples").symlink_to(ROOT / "examples")
        self.env = {
            "HOME": str(folder),
            "NOCTULE_HOME": str(folder / "home"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "OLLAMA_HOST": "127.0.0.1:9",
            "COLUMNS": "90",
            "LANG": "C.UTF-8",
        }

    def run(self, command: str) -> str:
        """Run one line as the terminal would show it."""
        exported = re.fullmatch(r"export (\w+)=(\S+)", command)
        if exported:
            self.env[exported[1]] = exported[2]
            return ""
        with tempfile.TemporaryFile() as shown:
            done = subprocess.run(
                shlex.split(command, comments=True),
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=shown,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=120,
            )
            shown.seek(0)
            said = shown.read().decode()
        assert done.returncode in {0, 75}, f"{command}\n{said}"
        return said

    def start(self, command: str, shown: Path) -> "subprocess.Popen[bytes]":
        """Start one line and leave it running; the caller ends it."""
        with shown.open("wb") as file:
            return subprocess.Popen(
                shlex.split(command),
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_every_block_is_run_or_says_why_not():
    """Each block has a kind that is checked here, or a comment above it with the reason."""
    assert {block.kind for block in BLOCKS if block.is_run} == {"sh", "console", "yaml"}
    assert all(block.mark == "" or block.mark.startswith((NOT_RUN, BESIDE)) for block in BLOCKS)
    assert all(len(block.mark) > len(NOT_RUN) + 10 for block in BLOCKS if not block.is_run)


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.kind == "yaml"], ids=lambda b: b.text[:20]
)
def test_configurations_load(block):
    """Each configuration of the README is sound, and as short as it is said to be."""
    environ = {"ANTHROPIC_API_KEY": "test-key-of-anthropic"}
    settings = load_text(block.text, environ=environ, folder=ROOT, file="README.md")
    assert settings.roles
    assert len(block.text.splitlines()) <= 20


@pytest.mark.process
@pytest.mark.timeout(600)
def test_commands_say_what_is_shown(shell, tmp_path):
    """The commands run, one after another, and say what the screens show."""
    beside: list[tuple[subprocess.Popen[bytes], Path, list[str]]] = []
    try:
        for block in BLOCKS:
            if block.kind == "sh" and block.is_run:
                for line in block.text.splitlines():
                    shell.run(line)
            elif block.kind == "console" and block.mark.startswith(BESIDE):
                ((command, shown),) = block.steps()
                said = tmp_path / f"beside-{len(beside)}.txt"
                beside.append((shell.start(command, said), said, shown))
                wait_for(shown[:1], said)
            elif block.kind == "console":
                for command, shown in block.steps():
                    real = shell.run(command)
                    assert missing(shown, real) is None, f"$ {command}\n{real}"
        for _, said, shown in beside:
            wait_for(shown, said)
    finally:
        for process, _, _ in beside:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def test_links_lead_somewhere():
    """Every relative link of the documents leads to a file or folder that is there."""
    pages = [
        README,
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("*/**/README.md"),
        ROOT / "CHANGELOG.md",
    ]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        if not {".venv", ".pytest_cache"} & set(page.relative_to(ROOT).parts)
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert broken == []
