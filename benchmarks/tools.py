"""What a step of a tool loop costs around the model and the tool, and what compaction saves.

A step is one model call and the tool call it leads to, both instant. Ours binds the role's model,
decides the permission, writes the effect into the journal (for a tool that writes), tells
watchers and keeps two checkpoints, all as durable as always. Beside it, in the same run, stock
``create_agent`` with the stock SQLite saver, which does none of that but the checkpoints. What a
turn costs without any step is taken off both; the quickest of several rounds counts.

The tokens are those sent over a task of forty steps whose tool returns 6 KB each time: with the
usual bound, and with none.

    python -m benchmarks.tools [--steps 40] [--rounds 3] [--json]
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from pydantic import BaseModel, PrivateAttr

from noctule.bootstrap import Runtime, open_records, open_runtime
from noctule.config import Loaded
from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.sessions.lifecycle import Status
from noctule.core.settings import Settings
from noctule.core.tools.effects import EffectClass
from noctule.models.base.client import Conclusion, ModelRequest, PresentModel
from noctule.models.binding.models import Models
from noctule.sessions.service.service import Request
from tools.base.tool import Tool, ToolContext, ToolResult
from tools.registry import Toolbox

PAGE = "a line of a file that somebody wants to have read\n" * 120  # 6 KB
TOLD = Usage(input_tokens=100, output_tokens=10)


class Instant:
    """An endpoint that calls a tool so many times, then ends; it keeps count of what it is sent."""

    def __init__(self) -> None:
        self.name, self.steps, self.done, self.sent_tokens = "read_it", 0, 0, 0
        self.counts = False

    def plan(self, name: str, steps: int) -> None:
        self.name, self.steps, self.done, self.sent_tokens = name, steps, 0, 0

    async def answer(self, request: ModelRequest) -> AIMessage:
        self._count(request)
        return AIMessage("A summary of forty words. " * 10, response_metadata={"finish": "stop"})

    async def stream(self, request: ModelRequest) -> AsyncIterator[AIMessageChunk]:
        self._count(request)
        finish = "stop" if self.done >= self.steps else "tool_calls"
        if finish == "stop":
            yield AIMessageChunk(content="Done.")
        else:
            args = json.dumps({"number": self.done})
            self.done += 1
            call = tool_call_chunk(name=self.name, args=args, id="call-1", index=0)
            yield AIMessageChunk(content="", tool_call_chunks=[call])
        yield AIMessageChunk(
            content="", response_metadata={"finish": finish}, chunk_position="last"
        )

    def conclude(self, request: ModelRequest, message: AIMessage) -> Conclusion:
        return Conclusion(TOLD, message.response_metadata.get("finish"))

    async def present(self) -> list[PresentModel]:
        return []

    async def warm(self, model: str) -> None: ...

    async def close(self) -> None: ...

    def _count(self, request: ModelRequest) -> None:
        if self.counts:
            self.sent_tokens += count_tokens_approximately(request.messages)


class StockModel(BaseChatModel):
    """The same as a plain chat model."""

    _left: int = PrivateAttr(default=0)
    _done: int = PrivateAttr(default=0)

    def plan(self, steps: int) -> None:
        self._left, self._done = steps, 0

    @property
    def _llm_type(self) -> str:
        return "instant"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        if self._left == 0:
            return ChatResult(generations=[ChatGeneration(message=AIMessage("Done."))])
        self._left -= 1
        self._done += 1
        call = {"name": "read_it", "args": {"number": self._done}, "id": f"call-{self._done}"}
        said = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=said)])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kw: Any) -> ChatResult:
        return self._generate(messages)


@tool
async def read_it(number: int) -> str:
    """Read something."""
    return f"number {number}"


class Number(BaseModel):
    number: int


class ReadIt(Tool[Number]):
    """Reads, at once."""

    name = "read_it"
    family = "files"
    description = "Read something."
    arguments = Number
    effect = EffectClass.READ
    text = "number {number}"

    async def run(self, arguments: Number, context: ToolContext) -> ToolResult:
        return ToolResult(self.text.replace("{number}", str(arguments.number)))


class ReadPage(ReadIt):
    """Reads a page of 6 KB."""

    name = "read_page"
    text = "{number}\n" + PAGE


class WriteIt(ReadIt):
    """Does nothing, and is journalled."""

    name = "write_it"
    effect = EffectClass.WRITE


def settings_with(compact_tokens: int) -> Settings:
    role = {"primary": "instant"}
    names = ("chat", "orchestrator", "engineer", "research", "writer", "utility")
    tools = ["read_it", "read_page", "write_it"]
    return Settings.model_validate(
        {
            "endpoints": {"play": {"kind": "scripted"}},
            "models": {"instant": {"endpoint": "play", "name": "instant"}},
            "roles": dict.fromkeys(names, role) | {"engineer": {**role, "tools": tools}},
            "limits": {"max_steps": 10_000, "compact_tokens": compact_tokens},
        }
    )


async def a_turn(runtime: Runtime) -> None:
    turn = await runtime.records.service.submit(Request("Read all of it.", role="engineer"))
    progress = await runtime.advancer.advance(turn.id)
    assert progress.turn.status is Status.DONE, progress.turn


async def opened(
    stack: AsyncExitStack, client: Instant, *, compact_tokens: int = 14_000
) -> tuple[Runtime, Path]:
    """Open a whole Noctule over a folder of its own."""
    home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    settings = settings_with(compact_tokens)
    loaded = Loaded(settings, home / "config.yaml", home)
    records = await stack.enter_async_context(open_records(loaded))
    models = Models(
        settings,
        records.database,
        records.clock,
        price=lambda *_: (None, CostSource.LOCAL),
        build=lambda _: client,
    )
    stack.push_async_callback(models.close)
    tools = [ReadIt(), ReadPage(), WriteIt()]
    toolbox = Toolbox(settings, clock=records.clock, tools=tools)
    runtime = await stack.enter_async_context(open_runtime(records, models=models, toolbox=toolbox))
    return runtime, home


async def milliseconds(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await work()
    return (time.perf_counter() - begun) * 1000


async def measure_steps(steps: int, rounds: int) -> list[dict[str, Any]]:
    """Return milliseconds per step, by way."""
    client, model = Instant(), StockModel()
    async with AsyncExitStack() as stack:
        runtime, home = await opened(stack, client)
        stock = await stack.enter_async_context(
            AsyncSqliteSaver.from_conn_string(str(home / "stock.db"))
        )
        agent = create_agent(model, [read_it], checkpointer=stock)
        threads = iter(range(10**9))

        async def ours(name: str, count: int) -> None:
            client.plan(name, count)
            await a_turn(runtime)

        async def theirs(_: str, count: int) -> None:
            model.plan(count)
            config = {"configurable": {"thread_id": str(next(threads))}}
            said = {"messages": [{"role": "user", "content": "Read all of it."}]}
            await agent.ainvoke(said, config, durability="sync")

        ways: dict[str, tuple[Callable[[str, int], Awaitable[None]], str]] = {
            "noctule, a tool that reads": (ours, "read_it"),
            "noctule, a tool that writes": (ours, "write_it"),
            "stock create_agent, stock saver": (theirs, "read_it"),
        }
        best: dict[str, float] = {}
        for number in range(rounds + 1):
            for way, (work, name) in ways.items():
                empty = await milliseconds(lambda w=work, n=name: w(n, 0))
                full = await milliseconds(lambda w=work, n=name: w(n, steps))
                if number:  # the first round warms up
                    per_step = (full - empty) / steps
                    best[way] = min(best.get(way, per_step), per_step)
    return [{"what": way, "step_ms": round(found, 2)} for way, found in best.items()]


async def measure_tokens(steps: int) -> list[dict[str, Any]]:
    """Return the tokens sent over a task, with compaction and without."""
    rows: list[dict[str, Any]] = []
    for what, bound in (("with compaction", 14_000), ("without", 10**9)):
        client = Instant()
        client.counts = True
        async with AsyncExitStack() as stack:
            runtime, _ = await opened(stack, client, compact_tokens=bound)
            client.plan("read_page", steps)
            await a_turn(runtime)
        rows.append({"what": what, "steps": steps, "sent_tokens": client.sent_tokens})
    return rows


async def measure(steps: int, rounds: int) -> dict[str, Any]:
    return {"steps": await measure_steps(steps, rounds), "tokens": await measure_tokens(40)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tools", description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    found = asyncio.run(measure(given.steps, given.rounds))
    if given.json:
        print(json.dumps(found, indent=2))
        return 0
    for row in found["steps"]:
        print(f"{row['what']:<36} {row['step_ms']:>8.2f} ms per step")
    with_it, without = (row["sent_tokens"] for row in found["tokens"])
    for row in found["tokens"]:
        print(f"{row['what']:<36} {row['sent_tokens']:>10,} tokens sent over {row['steps']} steps")
    print(f"{'share':<36} {with_it / without:>10.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
