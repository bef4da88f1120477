import asyncio
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
from tests.support.provider import FakeModel, Provider, Reply, Request
from tests.support.replies import ToolCall

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs/tutorial.md"
PAGES = [README, TUTORIAL, *sorted((ROOT / "docs/guides").glob("*.md"))]
"""What newcomers read; of the guides those are run that have a screen."""
FACTS = "Bats are mammals.\nThey hear where they fly.\nThey sleep upside down.\n"
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


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["text"], found["mark"] or "") for found in _FENCE.finditer(text)
    ]


SHOWN = [page for page in PAGES if any(block.kind == "console" for block in blocks(page))]
BLOCKS = blocks(README)


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


@pytest.mark.parametrize("page", [README, TUTORIAL], ids=lambda page: page.stem)
def test_every_block_is_run_or_says_why_not(page):
    """Each block has a kind that is checked here, or a comment above it with the reason."""
    found = blocks(page)
    assert {block.kind for block in found if block.is_run} <= {"sh", "console", "yaml"}
    assert any(block.is_run for block in found)
    assert all(block.mark == "" or block.mark.startswith((NOT_RUN, BESIDE)) for block in found)
    assert all(len(block.mark) > len(NOT_RUN) + 10 for block in found if not block.is_run)


def test_a_newcomer_meets_nothing_they_do_not_need():
    """The tutorial speaks of no database server, outcome of a probe or kind of window."""
    words = TUTORIAL.read_text(encoding="utf-8").lower()
    later = ("postgres", "proven", "declared_only", "rolling", "aligned", "first_use", "probe")
    assert [word for word in later if word in words] == []


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.kind == "yaml"], ids=lambda b: b.text[:20]
)
def test_configurations_load(block):
    """Each configuration of the README is sound, and as short as it is said to be."""
    environ = {"ANTHROPIC_API_KEY": "test-key-of-anthropic"}
    settings = load_text(block.text, environ=environ, folder=ROOT, file="README.md")
    assert settings.roles
    assert len(block.text.splitlines()) <= 20


def bats(request: Request) -> Reply | None:
    """Answer as the model of the tutorial does."""
    said = request.last_user_text
    system = str(request.body["messages"][0].get("content", ""))
    if "JSON" in system and "role" in system and not request.body.get("tools"):
        return Reply(text='{"role": "chat", "complexity": "simple", "reason": "a question"}')
    if "bats.md" in said:
        if request.body["messages"][-1]["role"] == "tool":
            return Reply(text="I wrote bats.md with three facts.")
        call = {"path": "bats.md", "content": FACTS}
        return Reply(text="", tool_calls=(ToolCall("write_file", call),))
    if "winter" in said:
        return Reply(text="Then they hibernate, because insects are rare.")
    return Reply(text="The night is safer for them, and full of insects.")


@pytest.mark.process
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.stem)
async def test_commands_say_what_is_shown(page, shell, tmp_path):
    """The commands run, one after another, and say what the screens show."""
    async with Provider(models=[FakeModel("qwen3.5:latest")], decide=bats) as provider:
        if page == TUTORIAL:
            shell.env["OLLAMA_HOST"] = provider.url
        await asyncio.to_thread(go_through, blocks(page), shell, tmp_path)


def go_through(shown_blocks: list[Block], shell: Shell, tmp_path: Path) -> None:
    """Run a page from its first block to its last."""
    beside: list[tuple[subprocess.Popen[bytes], Path, list[str]]] = []
    try:
        for block in shown_blocks:
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
