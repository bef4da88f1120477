"""Four small tasks for agents on real weights: does a run end, is it solved, what did it destroy?

    python -m benchmarks.agent_tasks --out runs.jsonl --label new --weights FILE.gguf \
        [--noctule PROGRAM] [--template FILE] [--context 8192] [--tries 3] [--tasks fix,csv] \
        [--seconds 360] [--quiet 3]

Each run is a `noctule run` of its own on the product's ``embedded`` endpoint; one the clock cuts
counts as not ended. Every run is appended to the results file as it ends, and nothing in there is
ever changed: series on a busy machine can be told apart by the load noted with each. ``--noctule``
takes the program of another checkout, to compare. The model is probed once before, outside of the
clock. ``--quiet`` waits before each until the machine's load is below. Without ``--weights`` the
file's runs are counted up and shown.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

ROLES = ("chat", "orchestrator", "engineer", "research", "writer", "utility")
READS = frozenset({"read_file", "search_files", "shell", "python"})
STOPPED = "I stopped: I was repeating"
"""How a report begins that Noctule wrote, and no model."""


@dataclass(frozen=True)
class Task:
    """One piece of work.

    Args:
        name: one word.
        text: what is asked.
        files: what the workspace holds.
        fixed: files that no solution may change.
        solved: judges the workspace and the report afterwards.
    """

    name: str
    text: str
    files: Mapping[str, str]
    fixed: tuple[str, ...]
    solved: Callable[[Path, str], bool]


def _passes(folder: Path) -> bool:
    tested = subprocess.run(
        [sys.executable, "-m", "unittest", "-q"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return tested.returncode == 0


def _has_totals(folder: Path) -> bool:
    made = folder / "totals.csv"
    if not made.is_file():
        return False
    rows = [line.replace(" ", "").strip() for line in made.read_text().splitlines() if line.strip()]
    return rows == ["region,total", "north,41", "south,17", "west,88"]


def _is_renamed(folder: Path) -> bool:
    texts = [path.read_text() for path in folder.rglob("*.py")]
    if any("fetch_rows" in text for text in texts) or "load_rows" not in "".join(texts):
        return False
    ran = subprocess.run(
        [sys.executable, "main.py"], cwd=folder, capture_output=True, check=False, timeout=60
    )
    return ran.stdout.decode().strip() == "6"


TASKS = (
    Task(
        "fix",
        "A test in this project fails. Find out why and correct the program so that all tests "
        "pass. Do not change the tests. The tests are run with: python3 -m unittest",
        {
            "prices.py": "def with_tax(price, percent):\n"
            '    """Return the price with tax added."""\n'
            "    return price + price * percent\n\n\n"
            "def rounded(price):\n"
            '    """Return the price with two digits."""\n'
            "    return round(price, 2)\n",
            "test_prices.py": "import unittest\n\nfrom prices import rounded, with_tax\n\n\n"
            "class TestPrices(unittest.TestCase):\n"
            "    def test_with_tax(self):\n"
            "        self.assertEqual(with_tax(100, 20), 120)\n\n"
            "    def test_rounded(self):\n"
            "        self.assertEqual(rounded(1.239), 1.24)\n",
        },
        ("test_prices.py",),
        lambda folder, _: _passes(folder),
    ),
    Task(
        "csv",
        "Read the files north.txt, south.txt and west.txt. Each says a total. Write a file "
        "totals.csv with the header region,total and one line for each region, in this order: "
        "north, south, west.",
        {
            "north.txt": "Report of the region north\nTotal: 41\n",
            "south.txt": "Report of the region south\nTotal: 17\n",
            "west.txt": "Report of the region west\nTotal: 88\n",
        },
        ("north.txt", "south.txt", "west.txt"),
        lambda folder, _: _has_totals(folder),
    ),
    Task(
        "rename",
        "Rename the function fetch_rows to load_rows in all Python files of this project, so that "
        "python3 main.py still works.",
        {
            "rows.py": "def fetch_rows():\n    return [1, 2, 3]\n",
            "report.py": "from rows import fetch_rows\n\n\n"
            "def total():\n    return sum(fetch_rows())\n",
            "main.py": "from report import total\n\nprint(total())\n",
        },
        ("main.py",),
        lambda folder, _: _is_renamed(folder),
    ),
    Task(
        "find",
        "On which port does the service billing listen? Look for it in the files of this folder, "
        "and report the number.",
        {
            "README.md": "# Services\n\nEach service has a file of its own under services.\n",
            "services/accounts.conf": "name = accounts\nlisten = 7001\nworkers = 2\n",
            "services/billing.conf": "name = billing\nlisten = 7443\nworkers = 4\n",
            "services/mail.conf": "name = mail\nlisten = 7100\nworkers = 1\n",
        },
        (
            "README.md",
            "services/accounts.conf",
            "services/billing.conf",
            "services/mail.conf",
        ),
        lambda _, report: "7443" in report,
    ),
)


def measure(options: argparse.Namespace) -> None:
    """Do all runs, one after another, and append each to the results."""
    home = Path(mkdtemp(prefix="agent-tasks-"))
    config = home / "config.yaml"
    config.write_text(json.dumps(_configuration(options)), encoding="utf-8")
    _wait_for_quiet(options)
    probed = _noctule(options, home, home / "proved", 3600.0, "models", "probe", "coder", "--json")
    proof = _json(probed.said).get("models", _json(probed.said))
    chosen = [task for task in TASKS if options.tasks is None or task.name in options.tasks]
    for number in range(1, options.tries + 1):
        for task in chosen:
            _wait_for_quiet(options)
            record = _one(options, home, task) | {"try": number, "probe": _verdict(proof)}
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            print(json.dumps(record), flush=True)
    shutil.rmtree(home, ignore_errors=True)


def _configuration(options: argparse.Namespace) -> dict[str, Any]:
    endpoint: dict[str, Any] = {"kind": "embedded", "weights": str(options.weights.absolute())}
    if options.template is not None:
        endpoint["chat_template"] = str(options.template.absolute())
    model: dict[str, Any] = {"endpoint": "here", "name": options.weights.stem}
    model |= {"context": options.context, "price": {"input": 0, "output": 0}}
    roles: dict[str, Any] = {role: {"primary": "coder"} for role in ROLES}
    roles["engineer"] |= {"tools": ["files", "shell"]}
    return {
        "endpoints": {"here": endpoint},
        "models": {"coder": model | json.loads(options.model)},
        "roles": roles,
        "limits": {"call_timeout": "600s", "first_token_timeout": "600s"},
        "tools": {"search": {"engine": "ddgs"}},
    }


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code, None when the clock cut it, and what it printed."""

    code: int | None
    said: str
    took_s: float


def _noctule(
    options: argparse.Namespace, home: Path, data: Path, seconds: float, *words: str
) -> Ended:
    begun = time.monotonic()
    env = os.environ | {"NOCTULE_HOME": str(data)}
    command = [options.noctule, *words, "--config", str(home / "config.yaml")]
    started = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        said, _ = started.communicate(timeout=seconds)
        code: int | None = started.returncode
    except subprocess.TimeoutExpired:
        code, said = None, b""
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
    return Ended(code, said.decode(errors="replace"), time.monotonic() - begun)


def _wait_for_quiet(options: argparse.Namespace) -> None:
    while options.quiet is not None and os.getloadavg()[0] >= options.quiet:
        time.sleep(10)


def _one(options: argparse.Namespace, home: Path, task: Task) -> dict[str, Any]:
    folder = Path(mkdtemp(prefix=f"agent-{task.name}-"))
    for name, text in task.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    before, load = _digests(folder, task), os.getloadavg()[0]
    words = ("run", "--json", "--role", "engineer", "--allow", "files,shell")
    words += ("--workspace", str(folder), task.text)
    data = Path(mkdtemp(prefix="data-", dir=home))  # nothing of a run that was cut is gone on with
    shutil.copytree(home / "proved", data, dirs_exist_ok=True)
    ended = _noctule(options, home, data, options.seconds, *words)
    document = _json(ended.said)
    report = str(document.get("reply") or "")
    calls = _calls(data, str(folder))
    changed = sorted(n for n, was in before.items() if _digests(folder, task)[n] != was)
    by_itself = ended.code == 0 and bool(report.strip()) and not report.startswith(STOPPED)
    record = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "label": options.label,
        "weights": options.weights.name,
        "template": None if options.template is None else options.template.name,
        "task": task.name,
        "exit": ended.code,
        "cut": ended.code is None,
        "status": document.get("status"),
        "ended_by_itself": by_itself,
        "solved": _is_solved(task, folder, report),
        "changed": changed,
        "changed_unread": [name for name in changed if not _was_read(name, calls)],
        "changed_fixed": [name for name in changed if name in task.fixed],
        "took_s": round(ended.took_s, 1),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "cores": os.cpu_count(),
        "calls": calls,
        "report": report[:1000],
    }
    shutil.rmtree(folder, ignore_errors=True)
    return record


def _is_solved(task: Task, folder: Path, report: str) -> bool:
    try:
        return task.solved(folder, report) and all(
            (folder / name).read_text(encoding="utf-8") == task.files[name] for name in task.fixed
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False


def _digests(folder: Path, task: Task) -> dict[str, str | None]:
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if (folder / name).is_file()
        else None
        for name in task.files
    }


def _calls(data: Path, folder: str) -> list[dict[str, Any]]:
    """Return the tool calls of the session of a workspace: tool, what it acted on, whether done."""
    path = data / "noctule.db"
    if not path.is_file():
        return []
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT e.kind, e.data FROM events e JOIN sessions s ON s.id = e.session_id "
            "WHERE s.workspace = ? AND e.kind IN ('tool_started', 'tool_ended') ORDER BY e.seq",
            (folder,),
        ).fetchall()
    calls: dict[str, dict[str, Any]] = {}
    for kind, told in rows:
        said = json.loads(told)
        call = calls.setdefault(said["call"], {"tool": said["tool"]})
        if kind == "tool_started":
            call["subject"] = (said.get("subject") or "")[:300]
        else:
            call["failed"] = said["failed"]
    return list(calls.values())


def _was_read(name: str, calls: list[dict[str, Any]]) -> bool:
    """Whether a call named the file that shows what files hold, or all files were searched."""
    base = name.rsplit("/", 1)[-1]
    shown = [c for c in calls if c["tool"] in READS and not c.get("failed", True)]
    return any(base in c.get("subject", "") or c["tool"] == "search_files" for c in shown)


def _verdict(proof: Any) -> str:
    entries = proof if isinstance(proof, list) else [proof]
    first = entries[0] if entries and isinstance(entries[0], dict) else {}
    right = sum(bool(case.get("passed")) for case in first.get("cases", ()))
    return f"{first.get('outcome')} {right}/{len(first.get('cases', ()))}"


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {"models": found}


def summarise(path: Path) -> None:
    """Print what the runs of a results file came to, by label, weights and task."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        groups.setdefault((run["label"], run["weights"]), []).append(run)
    for (label, weights), runs in groups.items():
        _say(f"{label}, {weights}: {len(runs)} runs")
        for name in ("ended_by_itself", "solved", "cut"):
            _say(f"  {name}: {sum(bool(run[name]) for run in runs)}")
        _say(f"  changed a file unread: {sum(bool(run['changed_unread']) for run in runs)}")
        for task in TASKS:
            own = [run for run in runs if run["task"] == task.name]
            done = sum(run["ended_by_itself"] for run in own)
            solved = sum(run["solved"] for run in own)
            took = ", ".join(f"{run['took_s']:.0f} s" for run in own)
            _say(f"  {task.name}: {done} of {len(own)} ended, {solved} solved; {took}")


def _say(text: str) -> None:
    print(text)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="results are appended to it")
    parser.add_argument("--label", default="new", help="what is measured, for the results")
    parser.add_argument("--weights", type=Path, help="a GGUF file; without it: the results so far")
    parser.add_argument("--template", type=Path, help="its chat template; none: its own")
    parser.add_argument("--noctule", default=shutil.which("noctule") or "noctule")
    parser.add_argument("--model", default="{}", help="more settings of the model, as JSON")
    parser.add_argument("--context", type=int, default=8192, help="tokens")
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--tasks", type=lambda text: text.split(","), help="fix,csv,rename,find")
    parser.add_argument("--quiet", type=float, help="the load below which a run begins; none: any")
    parser.add_argument("--seconds", type=float, default=360.0, help="the longest a run may take")
    options = parser.parse_args()
    if options.weights is None:
        summarise(options.out)
    else:
        measure(options)


if __name__ == "__main__":
    _main()
