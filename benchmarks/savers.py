"""Checkpoint savers: steps per second of many sessions at once, and what a growing list leaves.

Ours beside LangGraph's AsyncSqliteSaver, in the same run, on the same disk: 64 sessions whose
nodes do nothing, each with 200 KB of state, `durability="sync"`; then one session whose list
grows to 1 MB in 200 steps.

The savers take turns, and each figure is the median of the rounds, because a machine is rarely
idle for as long as this takes.

    python -m benchmarks.savers [--sessions 64] [--steps 40] [--rounds 3] [--json]
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from operator import add
from pathlib import Path
from statistics import median
from typing import Annotated, Any, TypedDict

import aiosqlite
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph

from graphs.checkpointers import SqliteSaver

Opener = Callable[[Path], AbstractAsyncContextManager[BaseCheckpointSaver[str]]]
Graph = CompiledStateGraph[Any, Any, Any, Any]
KILOBYTE = 1024


@asynccontextmanager
async def _none(_path: Path) -> AsyncIterator[BaseCheckpointSaver[str]]:
    yield InMemorySaver()


def _stock(pragma: str | None) -> Opener:
    @asynccontextmanager
    async def opened(path: Path) -> AsyncIterator[BaseCheckpointSaver[str]]:
        async with aiosqlite.connect(path) as connection:
            await connection.execute("PRAGMA journal_mode = WAL")
            if pragma:
                await connection.execute(pragma)
            yield AsyncSqliteSaver(connection)

    return opened


SAVERS: dict[str, Opener] = {
    "ours": SqliteSaver.open,
    "stock, FULL": _stock("PRAGMA synchronous = FULL"),
    "stock, NORMAL": _stock("PRAGMA synchronous = NORMAL"),
    "memory": _none,
}


class Blob(TypedDict):
    """200 KB that stay as they are, and a counter."""

    blob: dict[str, Any]
    step: int


class Talk(TypedDict):
    """A conversation that grows by a message a step."""

    messages: Annotated[list[AnyMessage], add_messages]
    step: int


class Pile(TypedDict):
    """A plain list that grows by 5 KB a step."""

    items: Annotated[list[dict[str, Any]], add]
    step: int


def _graph(
    schema: type[Any],
    advance: Callable[[int], dict[str, Any]],
    steps: int,
    saver: BaseCheckpointSaver[str],
) -> Graph:
    async def work(state: Any) -> dict[str, Any]:
        return {"step": state["step"] + 1, **advance(state["step"])}

    def onward(state: Any) -> str:
        return END if state["step"] >= steps else "work"

    graph = StateGraph(schema)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    graph.add_conditional_edges("work", onward, ["work", END])
    return graph.compile(checkpointer=saver)


def _say(step: int) -> dict[str, Any]:
    return {"messages": [AIMessage(f"{step} " + "word " * 200, id=f"new-{step}")]}


def _start(kind: str, session: int) -> dict[str, Any]:
    if kind == "blob":
        return {"blob": {str(i): f"{session}{i}" * 100 for i in range(550)}, "step": 0}
    said = [AIMessage(f"{session}/{i} " + "word " * 200, id=str(i)) for i in range(190)]
    return {"messages": said, "step": 0}


async def _throughput(open_: Opener, kind: str, sessions: int, steps: int) -> float:
    """Return finished steps per second."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_(Path(folder) / "checkpoints.db") as saver:
            schema, advance = (Blob, lambda _: {}) if kind == "blob" else (Talk, _say)
            graph = _graph(schema, advance, steps, saver)
            before = time.perf_counter()
            await asyncio.gather(
                *(
                    graph.ainvoke(
                        _start(kind, session),
                        {"configurable": {"thread_id": str(session)}, "recursion_limit": 10_000},
                        durability="sync",
                    )
                    for session in range(sessions)
                )
            )
            return sessions * steps / (time.perf_counter() - before)


async def _growth(open_: Opener, steps: int = 200) -> tuple[float, float]:
    """Return MiB on disk while open, and milliseconds a step, of a list growing to 1 MB."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_(Path(folder) / "checkpoints.db") as saver:
            text = "x" * 5 * KILOBYTE
            graph = _graph(
                Pile, lambda step: {"items": [{"n": step, "text": f"{step} {text}"}]}, steps, saver
            )
            before = time.perf_counter()
            await graph.ainvoke(
                {"items": [], "step": 0},
                {"configurable": {"thread_id": "1"}, "recursion_limit": 10_000},
                durability="sync",
            )
            took = (time.perf_counter() - before) / steps * 1000
            size = _bytes(Path(folder))
        return size / KILOBYTE**2, took


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def _round(open_: Opener, sessions: int, steps: int) -> dict[str, float]:
    size, took = await _growth(open_)
    return {
        "steps_per_second_unchanged": await _throughput(open_, "blob", sessions, steps),
        "steps_per_second_messages": await _throughput(open_, "talk", sessions, steps),
        "growth_mib": size,
        "growth_ms_per_step": took,
    }


async def measure(sessions: int, steps: int, rounds: int) -> list[dict[str, Any]]:
    """Return one row for each saver, the medians of all rounds."""
    await _round(_none, 2, 2)  # imports and caches
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in SAVERS}
    for _ in range(rounds):
        for name, open_ in SAVERS.items():
            taken[name].append(await _round(open_, sessions, steps))
    return [
        {"saver": name, **{key: median(row[key] for row in rows) for key in rows[0]}}
        for name, rows in taken.items()
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    rows = asyncio.run(measure(asked.sessions, asked.steps, asked.rounds))
    if asked.json:
        print(json.dumps(rows))
        return 0
    print(
        f"{asked.sessions} sessions, {asked.steps} steps each, sync durability, "
        f"median of {asked.rounds} rounds\n"
    )
    print(
        f"{'saver':16}{'200 KB unchanged':>18}{'200 KB messages':>18}{'list to 1 MB':>14}{'':>12}"
    )
    for row in rows:
        size = f"{row['growth_mib']:.1f} MiB"
        print(
            f"{row['saver']:16}{row['steps_per_second_unchanged']:>12.0f} st/s "
            f"{row['steps_per_second_messages']:>12.0f} st/s {size:>13}"
            f"{row['growth_ms_per_step']:>9.1f} ms/step"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
