"""A worker with tools that write, killed just before its n-th commit, for one n after another.

    python tests/support/tool_sweep.py --folder DIR --points 3,17

Each point is a data folder of its own: a worker is killed, then another works on, and a person who
looks at the workspace answers what it asks, until the turn has ended. The engineer writes files,
adds lines to one (an effect that shows when it happened twice), one line through a tool that can
tell afterwards and one through a tool that cannot, and is refused once in the middle. Prints a
JSON line per point; point 0 kills nobody and tells how many commits there are.
"""

import argparse
import asyncio
import importlib
import json
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from noctule.bootstrap import open_records, open_runtime, open_worker
from noctule.config import Loaded, load
from noctule.core.clock import SystemClock
from noctule.core.sessions.questions import Approval, CheckAnswer, Question, QuestionKind
from noctule.core.sessions.sessions import SessionKind
from noctule.core.tools.effects import EffectClass
from noctule.sessions.service.service import Request
from tests.support.command_line import ROLES, CommandLine
from tests.support.crash_sweep import in_child
from tools.base.tool import Tool, ToolResult
from tools.files.files import file_tools
from tools.registry import Toolbox

LEDGER = "ledger.txt"
SCRIPT = {
    "models": {
        "loop": [
            {
                "after": 0,
                "tool_calls": [
                    {"name": "write_file", "args": {"path": "a.txt", "content": "first\n"}},
                    {"name": "add", "args": {"line": "one"}},
                ],
            },
            {"after": 2, "times": 1, "error": {"status": 429, "headers": {"retry-after": "0.2"}}},
            {
                "after": 2,
                "tool_calls": [
                    {"name": "edit_file", "args": {"path": "a.txt", "old": "first", "new": "2nd"}},
                    {"name": "add_blindly", "args": {"line": "two"}},
                    {"name": "announce", "args": {"line": "three"}},
                ],
            },
            {"after": 5, "tool_calls": [{"name": "add", "args": {"line": "four"}}]},
            {"after": 6, "reply": "Done."},
        ]
    }
}
_SECONDS = 90


class Line(BaseModel):
    line: str


class Add(Tool[Line]):
    """Adds a line to the ledger, and can tell whether it did."""

    name = "add"
    family = "own"
    description = "Add a line."
    arguments = Line
    effect = EffectClass.WRITE
    can_tell = True

    def subject(self, arguments):
        return arguments.line

    async def before(self, arguments, context):
        return {"there": lines_of(context.workspace.root).count(arguments.line)}

    async def happened(self, arguments, context, before):
        if not self.can_tell:
            return None
        there = lines_of(context.workspace.root).count(arguments.line)
        return ToolResult("It is there.") if there > before["there"] else False

    async def run(self, arguments, context):
        with (context.workspace.root / LEDGER).open("a") as ledger:
            ledger.write(f"{arguments.line}\n")
        return ToolResult("Added.", files=(LEDGER,))


class AddBlindly(Add):
    """Adds a line and cannot tell afterwards."""

    name = "add_blindly"
    can_tell = False


class Announce(AddBlindly):
    """Does the same as an effect outside, which asks first."""

    name = "announce"
    effect = EffectClass.OUTSIDE


def lines_of(workspace: Path) -> list[str]:
    ledger = workspace / LEDGER
    return ledger.read_text().splitlines() if ledger.exists() else []


async def _submit(loaded: Loaded) -> None:
    async with open_records(loaded) as records:
        request = Request("@engineer keep the ledger", kind=SessionKind.RUN, role="engineer")
        await records.service.submit(request)


async def _work(loaded: Loaded) -> None:
    """Work until every turn has ended, answering what is asked."""
    async with (
        asyncio.timeout(_SECONDS),
        open_records(loaded) as records,
        open_runtime(records, toolbox=_toolbox(loaded)) as runtime,
        open_worker(runtime),
    ):
        while True:
            async with records.database.read() as work:
                if not await work.turns.count_unfinished():
                    break
            for question in await records.service.questions():
                async with records.database.read() as work:
                    turn = await work.turns.get(question.turn_id)
                if turn.status.value in {"waiting", "parked"}:
                    await records.service.answer(question.id, _answer(loaded, question))
            await SystemClock().sleep(0.02)


def _toolbox(loaded: Loaded) -> Toolbox:
    files = file_tools(loaded.settings.tools)
    tools = [*files, Add(), AddBlindly(), Announce()]
    return Toolbox(loaded.settings, clock=SystemClock(), tools=tools)


def _answer(loaded: Loaded, question: Question) -> str:
    """Answer as somebody who looks at what is there."""
    if question.kind is QuestionKind.APPROVAL:
        return Approval.ONCE.value
    there = question.subject in lines_of(loaded.home / "workspaces" / question.session_id)
    return (CheckAnswer.DONE if there else CheckAnswer.AGAIN).value


async def _outcome(loaded: Loaded) -> dict[str, Any]:
    async with open_records(loaded) as records, records.database.read() as work:
        (session,) = await work.sessions.list()
        (turn,) = await work.turns.of_session(session.id)
        effects = await work.effects.of_session(session.id)
    folder = loaded.home / "workspaces" / session.id
    return {
        "status": turn.status.value,
        "reply": turn.reply or turn.error,
        "ledger": sorted(lines_of(folder)),
        "file": (folder / "a.txt").read_text() if (folder / "a.txt").exists() else None,
        "effects": sorted(f"{effect.tool} {effect.state.value}" for effect in effects),
    }


def _prepare(folder: Path) -> Loaded:
    folder.mkdir(parents=True)
    command_line = CommandLine(folder)
    (folder / "script.yaml").write_text(json.dumps(SCRIPT))
    path = command_line.configure(
        {
            "endpoints": {"play": {"kind": "scripted", "script": str(folder / "script.yaml")}},
            "models": {"loop": {"endpoint": "play", "name": "loop", "context": 32000}},
            "roles": {role: {"primary": "loop"} for role in ROLES}
            | {"engineer": {"primary": "loop", "tools": ["files", "own"]}},
            "limits": {"queue_timeout": "0s"},
        }
    )
    return load(path, environ=command_line.env)


def _try(folder: Path, point: int) -> dict[str, Any]:
    loaded = _prepare(folder / f"t{point:03d}")
    shutil.copytree(folder / "template" / "home", loaded.home, dirs_exist_ok=True)
    in_child(lambda: _submit(loaded))
    killed, told = in_child(lambda: _work(loaded), point)
    finished = killed
    if killed == -signal.SIGKILL:
        finished, _ = in_child(lambda: _work(loaded))
    _, outcome = in_child(lambda: _outcome(loaded))
    return {
        "point": point,
        "killed": killed == -signal.SIGKILL,
        "finished": finished,
        "commits": None if told is None else told["commits"],
        "outcome": None if outcome is None else outcome["told"],
    }


def _main() -> None:
    parser = argparse.ArgumentParser(description="kills a worker with tools before its n-th commit")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--points", required=True, help="numbers with commas; a range like 1-80")
    options = parser.parse_args()
    for name in ("graphs.turn", "noctule.models.binding.models", "noctule.sessions.workers.worker"):
        importlib.import_module(name)  # once, before the forks
    template = _prepare(options.folder / "template")
    in_child(lambda: _work(template))  # makes the databases once, to be copied
    for part in options.points.split(","):
        first, _, last = part.partition("-")
        for point in range(int(first), int(last or first) + 1):
            print(json.dumps(_try(options.folder, point)), flush=True)  # noqa: T201 - whoever started it reads this


if __name__ == "__main__":
    _main()
