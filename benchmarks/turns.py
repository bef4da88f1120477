"""A whole routed turn with persistence, and what a long conversation leaves on the disk.

The turn is routed by a rule to chat and answered by an instant scripted model; it writes its
session, turn, route, attempt, events and checkpoints. Beside it, in the same run, a bare
LangGraph of the same shape (orchestrator, chat with a loop of model and park, finish) on the
stock SQLite saver; its nodes do nothing, and it keeps nothing but its checkpoints. Both take
turns, and the quickest of several rounds counts.

    python -m benchmarks.turns [--turns 60] [--rounds 5] [--json]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from noctule.bootstrap import Runtime, open_records, open_runtime
from noctule.config import Loaded
from noctule.core.sessions.lifecycle import Status
from noctule.core.settings import Settings
from noctule.sessions.service.service import Request

OneTurn = Callable[[], Awaitable[object]]
LONG_REPLY = "words and more words " * 125  # 2.6 KB
SHORT_REPLY = "Good evening to you."
CONVERSATION_TURNS = 200
HISTORIES_KB = (0, 100, 400)


class _Bare(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def _settings(home: Path, reply: str) -> Settings:
    script = home / "script.yaml"
    # Told, not counted: counting the words of a long prompt is the fake's work, not ours.
    line = {"reply": reply, "times": "forever", "usage": {"input": 1000, "output": 10}}
    script.write_text(json.dumps({"models": {"instant": [line]}}))
    role = {"primary": "instant"}
    names = ("chat", "orchestrator", "engineer", "research", "writer", "utility")
    return Settings.model_validate(
        {
            "endpoints": {"play": {"kind": "scripted", "script": str(script)}},
            "models": {"instant": {"endpoint": "play", "name": "instant"}},
            "roles": dict.fromkeys(names, role),
        }
    )


async def _routed_turn(runtime: Runtime, session_id: str | None, text: str) -> str:
    turn = await runtime.records.service.submit(Request(text, session_id=session_id))
    progress = await runtime.advancer.advance(turn.id)
    assert progress.turn.status is Status.DONE, progress.turn
    return turn.session_id


def _bare_graph(saver: AsyncSqliteSaver) -> Any:
    """Return a graph of the same shape: three nodes, the middle one a loop of two."""

    async def node(state: _Bare) -> dict[str, list[AnyMessage]]:
        del state
        return {"messages": [AIMessage(SHORT_REPLY)]}

    loop = _line(["model", "park"], node).compile()

    async def chat(state: _Bare) -> dict[str, list[AnyMessage]]:
        return {"messages": (await loop.ainvoke(state))["messages"][-1:]}

    graph = _line(["orchestrator", "chat", "finish"], node, chat=chat)
    return graph.compile(checkpointer=saver)


def _line(names: Sequence[str], node: Any, **others: Any) -> Any:
    graph = StateGraph(_Bare)
    for name in names:
        graph.add_node(name, others.get(name, node))
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph


async def _time(work: OneTurn, turns: int) -> tuple[float, float]:
    """Return wall and CPU milliseconds per turn."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(turns):
        await work()
    return (
        (time.perf_counter() - wall) * 1000 / turns,
        (time.process_time() - cpu) * 1000 / turns,
    )


async def measure_turns(turns: int, rounds: int, history_kb: int) -> list[dict[str, Any]]:
    """Return a row per way of running a turn in a conversation of some length.

    Args:
        turns: turns of one round.
        rounds: the quickest counts.
        history_kb: what was said before, in KB; 0 runs every turn in a new session.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        loaded = Loaded(_settings(home, SHORT_REPLY), home / "config.yaml", home)
        async with (
            open_records(loaded) as records,
            open_runtime(records) as runtime,
            AsyncSqliteSaver.from_conn_string(str(home / "stock.db")) as stock,
        ):
            bare = _bare_graph(stock)
            fresh = iter(range(10**9))
            talk: str | None = None
            said = "a question of many words " * 80  # 2 KB
            for _ in range(history_kb // 2):
                talk = await _routed_turn(runtime, talk, f"@chat {said}")
                config = {"configurable": {"thread_id": "talk"}}
                await bare.ainvoke({"messages": [HumanMessage(said)]}, config, durability="sync")

            async def ours() -> None:
                await _routed_turn(runtime, talk, "hello there")

            async def theirs() -> None:
                thread = "talk" if history_kb else str(next(fresh))
                config = {"configurable": {"thread_id": thread}}
                await bare.ainvoke(
                    {"messages": [HumanMessage("hello there")]}, config, durability="sync"
                )

            ways = {"noctule, a routed turn": ours, "bare LangGraph, stock saver": theirs}
            seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
            for work in ways.values():
                await _time(work, 5)
            for _ in range(rounds):
                for name, work in ways.items():
                    seen[name].append(await _time(work, turns))
    return [
        {
            "what": name,
            "history_kb": history_kb,
            "wall_ms": round(min(wall for wall, _ in results), 2),
            "median_wall_ms": round(statistics.median(wall for wall, _ in results), 2),
            "cpu_ms": round(min(cpu for _, cpu in results), 2),
        }
        for name, results in seen.items()
    ]


async def measure_size() -> dict[str, Any]:
    """Return what a conversation of 200 turns and 1 MB leaves on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        loaded = Loaded(_settings(home, LONG_REPLY), home / "config.yaml", home)
        said = "chat " + "a question of many words " * 100  # 2.5 KB
        async with open_records(loaded) as records, open_runtime(records) as runtime:
            session: str | None = None
            for number in range(CONVERSATION_TURNS):
                session = await _routed_turn(runtime, session, f"@chat {number} {said}")
            while_open = _bytes(home)
        return {
            "what": f"{CONVERSATION_TURNS} turns, 1 MB of conversation",
            "open_mib": round(while_open / 2**20, 2),
            "closed_mib": round(_bytes(home) / 2**20, 2),
        }


def _bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in home.glob("*.db*"))


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(argv)
    rows = [
        row
        for history_kb in HISTORIES_KB
        for row in asyncio.run(measure_turns(wanted.turns, wanted.rounds, history_kb))
    ]
    size = asyncio.run(measure_size())
    if wanted.json:
        print(json.dumps({"turns": rows, "size": size}))
        return 0
    for row in rows:
        print(
            f"{row['history_kb']:4} KB before it  {row['what']:28} {row['wall_ms']:7.2f} ms wall "
            f"(median {row['median_wall_ms']:.2f}) {row['cpu_ms']:7.2f} ms CPU"
        )
    for ours, theirs in zip(rows[::2], rows[1::2], strict=True):
        wall, cpu = (ours[unit] / theirs[unit] for unit in ("wall_ms", "cpu_ms"))
        print(f"{ours['history_kb']:4} KB: ours / theirs {wall:.2f} wall, {cpu:.2f} CPU")
    print(f"{size['what']}: {size['open_mib']} MiB open, {size['closed_mib']} MiB closed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
