"""A graph whose nodes write down when they start and end; also a program that can be killed.

    python counting_graph.py DATABASE LOG TURN STEPS

runs one turn on the thread `t` of a checkpoint store, going on from where it was stopped.
"""

import asyncio
import sys
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Overwrite, Send

from graphs.checkpointers import NoctuleSaver, open_saver

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}, "recursion_limit": 10_000}


class Counting(TypedDict):
    """The turn, its step, everything done in all turns, and what one fan-out brought."""

    turn: str
    step: int
    done: Annotated[list[str], add]
    brought: Annotated[list[str], add]


class Branch(TypedDict):
    """What one branch of the fan-out is sent."""

    name: str


def counting_graph(saver: NoctuleSaver, log: Path, steps: int) -> CompiledStateGraph[Any]:
    """Return a graph that counts to `steps` and fans out over three branches at every third."""

    def note(line: str) -> None:
        with log.open("a") as file:
            file.write(line + "\n")

    async def count(state: Counting) -> dict[str, Any]:
        name = f"{state['turn']}.{state['step']}"
        note(f"start {name}")
        text = f"{name} " + "x" * 2000
        note(f"end {name}")
        return {"step": state["step"] + 1, "done": [text], "brought": Overwrite([])}

    async def branch(state: Branch) -> dict[str, Any]:
        note(f"start {state['name']}")
        note(f"end {state['name']}")
        return {"brought": [state["name"]]}

    async def join(state: Counting) -> dict[str, Any]:
        return {"done": sorted(state["brought"])}

    def onward(state: Counting) -> Any:
        if state["step"] >= steps:
            return END
        if state["step"] % 3 == 0:
            return [Send("branch", {"name": f"{state['turn']}.{state['step']}{b}"}) for b in "abc"]
        return "count"

    graph = StateGraph(Counting)
    graph.add_node("count", count)
    graph.add_node("branch", branch)
    graph.add_node("join", join)
    graph.add_edge(START, "count")
    graph.add_conditional_edges("count", onward, ["count", "branch", END])
    graph.add_edge("branch", "join")
    graph.add_edge("join", "count")
    return graph.compile(checkpointer=saver)


async def run_turn(saver: NoctuleSaver, log: Path, turn: str, steps: int) -> dict[str, Any]:
    """Give the graph a turn it has not taken yet, or go on with it; return the state."""
    graph = counting_graph(saver, log, steps)
    snapshot = await graph.aget_state(THREAD)
    if snapshot.values.get("turn") == turn:
        if not snapshot.tasks:
            return snapshot.values
        return await graph.ainvoke(None, THREAD, durability="sync")
    start: Any = {"turn": turn, "step": 0, "brought": Overwrite([])}
    return await graph.ainvoke(start, THREAD, durability="sync")


async def _main(url: str, log: str, turn: str, steps: str) -> None:
    async with open_saver(url) as saver:
        await run_turn(saver, Path(log), turn, int(steps))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
