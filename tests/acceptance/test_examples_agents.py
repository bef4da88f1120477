import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/agents"


@pytest.fixture
def example(tmp_path):
    """The example, copied, and a command line that uses it."""
    folder = tmp_path / "agents"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder, CommandLine(tmp_path)


def run(example, role: str, text: str, *words: str) -> dict:
    folder, command_line = example
    config = ["--config", str(folder / "config.yaml")]
    done = command_line.run(*config, "run", "--json", "--role", role, *words, text)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_the_engineer_mends_a_repository(example):
    """It reads, runs the failing tests in the sandbox, changes the code, and shows a diff."""
    repository = example[0] / "repository"
    unmended = subprocess.run(
        [sys.executable, "-B", "-m", "unittest", "-q"], cwd=repository, check=False
    )
    assert unmended.returncode != 0
    told = run(
        example,
        "engineer",
        "The tests of this repository fail. Mend it.",
        "--workspace",
        str(repository),
    )
    assert told["status"] == "done"
    assert "+    return day - EPOCH" in told["reply"]
    mended = subprocess.run(
        [sys.executable, "-B", "-m", "unittest", "-q"], cwd=repository, check=False
    )
    assert mended.returncode == 0
    assert "Known bugs: none." in (repository / "README.md").read_text()


def test_the_researcher_reads_two_sources_and_cites_them(example):
    """A page that gives orders is read as data; the answer says where the two disagree."""
    told = run(example, "research", "When do noctules wake?")
    assert told["status"] == "done"
    assert "shelf:field-guide" in told["reply"]
    assert "shelf:winter-notes" in told["reply"]
    assert "disagree" in told["reply"]


def test_the_writer_writes_in_sections_and_keeps_the_text(example):
    """What it answers stands in a file of its workspace too."""
    told = run(example, "writer", "Write a short guide to hibernation, in sections.")
    assert told["status"] == "done"
    (kept,) = (example[1].home / "workspaces").glob("*/guide.md")
    assert kept.read_text().strip() in told["reply"]
