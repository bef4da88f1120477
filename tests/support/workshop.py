"""A provider that plays every role of a turn, in a process of its own; what it was asked is logged.

Each message names its task (``t017``); each call it leads to is one step with a key of its own,
like ``("t017", "plan")``, so that the log tells which steps were asked for, how often and when.

    python tests/support/workshop.py --log requests.jsonl --refuse-every 40
"""

import argparse
import asyncio
import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

if not __package__:  # started as a script, from anywhere
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.agent import read_prompt
from tests.support.provider import Provider, Request
from tests.support.replies import Reply

Step = tuple[str, str]
"""A task and what is done for it."""

_ROLES = ("chat", "engineer", "research", "writer", "utility")
_TASK = re.compile(r"\bt\d{3}[ab]?\b")
_PLAN = {
    "assignments": [
        {"id": "left", "role": "engineer", "task": "the left half"},
        {"id": "right", "role": "writer", "task": "the right half"},
    ]
}

SAYINGS: Mapping[str, Callable[[str], str]] = {
    "greeting": lambda task: f"hello, this is {task}",
    "sequence": lambda task: f"@research @writer something about {task}",
    "fan-out": lambda task: f"Is the moon of {task} hollow",
}
"""What is said to have a task done in each of the ways there are."""

STEPS: Mapping[str, tuple[str, ...]] = {
    "greeting": ("chat",),
    "sequence": ("research", "writer"),
    "fan-out": ("route", "plan", "engineer", "writer", "review"),
}
"""The model calls each way takes."""


def reply_to(task: str, kind: str) -> str:
    """Return the reply a turn must end with."""
    if kind == "fan-out":
        return f"**engineer**\n\n{_said(task, 'engineer')}\n\n**writer**\n\n{_said(task, 'writer')}"
    return _said(task, STEPS[kind][-1])


def step_of(body: Mapping[str, Any]) -> Step:
    """Return which step a request's body asks for."""
    messages = body["messages"]
    asked = next(m for m in reversed(messages) if m["role"] == "user")
    tasks = _TASK.findall(_text(asked))
    properties = json.dumps(body.get("response_format", {}))
    for step, sign in (("review", "verdict"), ("plan", "assignments"), ("route", "then")):
        if f'"{sign}"' in properties:
            return tasks[0], step
    system = _text(messages[0])
    return tasks[0], next(role for role in _ROLES if system.startswith(read_prompt(role)))


def _text(message: Mapping[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _said(task: str, step: str) -> str:
    return f"The {step} has done its part of {task}."


@dataclass
class Workshop:
    """Decides what is answered.

    Args:
        pace: seconds an answer takes, about; 0 answers at once.
        refuse_every: every so manieth request is refused; 0 refuses none.
        refuse_first: the first request for this step of each task is refused; "" for none.
        retry_after: what a refusal says.
    """

    pace: float
    refuse_every: int
    refuse_first: str
    retry_after: str
    _count: int = 0
    _seen: set[Step] = field(default_factory=set)

    def decide(self, request: Request) -> Reply:
        """Answer one request."""
        self._count += 1
        task, step = step_of(request.body)
        first = (task, step) not in self._seen
        self._seen.add((task, step))
        if (self.refuse_every and self._count % self.refuse_every == 0) or (
            first and step == self.refuse_first
        ):
            return Reply.refusal(429, "slow down", headers={"Retry-After": self.retry_after})
        slowness = random.Random(f"{task}{step}").uniform(0.3, 1.7) * self.pace
        return Reply(
            text=self._text(task, step),
            before_token=slowness / 2,
            between_tokens=slowness / 16,
        )

    def _text(self, task: str, step: str) -> str:
        match step:
            case "route":
                return json.dumps({"role": "engineer", "then": "writer", "complexity": "complex"})
            case "plan":
                return json.dumps(_PLAN)
            case "review":
                return json.dumps({"verdict": "accept"})
            case _:
                return _said(task, step)


@dataclass(frozen=True)
class Asked:
    """One request as the log tells it.

    Args:
        step: what it asked for.
        started: when it came.
        ended: when its answer was sent or its connection lost; None when neither was logged.
        result: ``answered``, ``refused`` or ``gone``; None likewise.
    """

    step: Step
    started: datetime
    ended: datetime | None
    result: str | None


def read_log(path: Path) -> list[Asked]:
    """Return every request, in the order in which they came."""
    begun: dict[int, tuple[Step, datetime]] = {}
    ended: dict[int, tuple[datetime, str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["at"])
        if entry["event"] == "start":
            begun[entry["n"]] = step_of(entry["body"]), at
        else:
            ended[entry["n"]] = at, entry["result"]
    return [
        Asked(step, at, *ended.get(number, (None, None))) for number, (step, at) in begun.items()
    ]


@contextmanager
def running_workshop(log: Path, **options: Any) -> Iterator[str]:
    """Run one in a process of its own; yields the base URL for OpenAI clients."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    process = subprocess.Popen(
        [sys.executable, __file__, f"--log={log}", *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    workshop = Workshop(
        options.pace, options.refuse_every, options.refuse_first, options.retry_after
    )
    async with Provider(decide=workshop.decide, log=options.log) as provider:
        print(provider.port, flush=True)  # noqa: T201 - whoever started it reads the port here
        try:
            async with asyncio.timeout(options.seconds):
                await stop.wait()
        except TimeoutError:
            sys.exit("nobody stopped the workshop in time; it ends by itself")


def _main() -> None:
    parser = argparse.ArgumentParser(description="a provider that plays every role, for tests")
    parser.add_argument("--log", type=Path, help="file for a JSON line per start and end")
    parser.add_argument("--pace", type=float, default=0.3, help="seconds an answer takes, about")
    parser.add_argument("--refuse-every", type=int, default=0, help="0 refuses none")
    parser.add_argument("--refuse-first", default="", help="this step of each task, once")
    parser.add_argument("--retry-after", default="2", help="what a refusal says")
    parser.add_argument("--seconds", type=float, default=900, help="ends by itself after this")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    _main()
