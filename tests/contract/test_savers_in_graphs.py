"""Savers under real graphs: parks, fan-outs, many turns, kills, and types of the state."""

import asyncio
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict, cast

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel

from graphs.checkpointers import SqliteSaver, open_saver
from tests.support.counting_graph import run_turn
from tests.support.refusing_model import ParkNode, Refusing


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the checkpoints are kept."""
    if request.param == "sqlite":
        return str(tmp_path / "checkpoints.db")
    return request.getfixturevalue("postgres_url")


class Fan(TypedDict):
    """A conversation and what the branches answered."""

    messages: Annotated[list[AnyMessage], add_messages]
    answers: Annotated[list[str], add]


def _fan_out(models: Mapping[str, Refusing], looked: list[str]) -> StateGraph[Any]:
    @tool
    async def look(at: str) -> str:
        """Look at something."""
        looked.append(at)
        return f"seen {at} " + "x" * 1500

    loops = {
        name: create_agent(model, [look], middleware=[ParkNode()]) for name, model in models.items()
    }

    async def work(state: dict[str, Any]) -> dict[str, Any]:
        result = await loops[state["name"]].ainvoke({"messages": state["messages"]})
        return {"answers": [result["messages"][-1].text]}

    def spread(state: Fan) -> list[Send]:
        return [Send("work", {"name": n, "messages": state["messages"]}) for n in models]

    async def finish(state: Fan) -> dict[str, Any]:
        return {"messages": [AIMessage("; ".join(sorted(state["answers"])))]}

    graph = StateGraph(Fan)
    graph.add_node("work", work)  # type: ignore[type-var]  # it takes what a Send brings
    graph.add_node("finish", finish)
    graph.add_conditional_edges(START, spread, ["work"])
    graph.add_edge("work", "finish")
    graph.add_edge("finish", END)
    return graph


async def test_parked_branches_are_resumed_one_by_one_and_nothing_is_repeated(url: str):
    """Three agents in a fan-out, two of them refused several times; each wake is a new process.

    Every finished model call and tool call of every branch happens once, whichever branch is
    woken first.
    """
    models = {"a": Refusing(name_="a"), "b": Refusing(name_="b", refusals=3)}
    models["c"] = Refusing(name_="c", refusals=1)
    looked: list[str] = []
    builder = _fan_out(models, looked)
    config: Any = {"configurable": {"thread_id": "t"}}
    start = {"messages": [HumanMessage(f"word {i} " * 20, id=str(i)) for i in range(50)]}
    async with open_saver(url) as saver:
        await builder.compile(checkpointer=saver).ainvoke(start, config, durability="sync")
    for _ in range(20):
        async with open_saver(url) as saver:
            graph = builder.compile(checkpointer=saver)
            snapshot = await graph.aget_state(config)
            if not snapshot.tasks:
                break
            woken = snapshot.interrupts[-1]
            await graph.ainvoke(Command(resume={woken.id: True}), config, durability="sync")
    assert snapshot.values["messages"][-1].text == "a done; b done; c done"
    assert sorted(looked) == ["ap", "aq", "bp", "bq", "cp", "cq"]
    for model in models.values():
        assert [call for call in model.calls if call != "refused"] == ["answered 0", "answered 1"]
    assert len(models["b"].calls) == 5
    assert len(models["c"].calls) == 3


async def test_answers_of_people_arrive_where_they_were_asked_for(url: str):
    """Two interrupts of one node are answered in two processes, each answer once, in order."""

    class Asked(TypedDict):
        got: Annotated[list[str], add]

    async def ask(state: Asked) -> dict[str, Any]:
        return {"got": [interrupt("first?"), interrupt("second?")]}

    graph = StateGraph(Asked)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    config: Any = {"configurable": {"thread_id": "t"}}
    async with open_saver(url) as saver:
        await graph.compile(checkpointer=saver).ainvoke({"got": []}, config, durability="sync")
    for answer in ("one", "two"):
        async with open_saver(url) as saver:
            done = await graph.compile(checkpointer=saver).ainvoke(
                Command(resume=answer), config, durability="sync"
            )
    assert done["got"] == ["one", "two"]


async def test_many_turns_on_one_thread_remember_everything_and_stay_small(
    url: str, tmp_path: Path
):
    """After 25 turns with fan-outs the whole conversation is there and little else is stored."""
    log = tmp_path / "log"
    for turn in range(25):
        async with open_saver(url) as saver:
            state = await run_turn(saver, log, f"turn{turn}", 4)
    said = [line.split(" ")[0] for line in state["done"]]
    assert said == [
        name
        for turn in range(25)
        for step in range(4)
        for name in (
            [f"turn{turn}.{step}"]
            + ([f"turn{turn}.3{branch}" for branch in "abc"] if step == 2 else [])
        )
    ]
    async with open_saver(url) as saver:
        assert len([found async for found in saver.alist(None)]) == 2
        assert log.read_text().count("start") == 25 * 7


@pytest.mark.process
async def test_a_killed_worker_repeats_no_finished_step(url: str, tmp_path: Path):
    """Five kills at random moments of one turn: every step is there, only what ran ran again."""
    log, steps, kills = tmp_path / "log", 30, 5
    chance = random.Random(7)
    log.touch()
    for _ in range(kills):
        before = _lines(log)
        enough = len(before) + chance.randint(2, 18)
        await _run_and_kill(url, log, steps, enough)
    async with open_saver(url) as saver:
        state = await run_turn(saver, log, "one", steps)
    ends = [line for line in _lines(log) if line.startswith("end")]
    steps_done = [line.split(" ")[0] for line in state["done"]]
    assert sorted(f"end {name}" for name in steps_done) == sorted(set(ends))
    # In flight at a kill: one step, or the three branches of a fan-out.
    assert len(ends) - len(set(ends)) <= 3 * kills
    for repeated in {line for line in ends if ends.count(line) > 1}:
        first = ends.index(repeated)
        second = ends.index(repeated, first + 1)
        between = {_step(line) for line in ends[first:second]}
        assert between == {_step(repeated)}, "a step ran again after a later one had started"


def _step(line: str) -> str:
    return line.split(" ")[1].rstrip("abc")


def _lines(log: Path) -> list[str]:
    return log.read_text().splitlines()


async def _run_and_kill(url: str, log: Path, steps: int, enough: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.counting_graph", url, str(log), "one", str(steps)
    )
    while process.returncode is None and len(_lines(log)) < enough:
        await asyncio.wait([asyncio.ensure_future(process.wait())], timeout=0.002)
    if process.returncode is None:
        process.kill()
    await process.wait()


class Stopping(SqliteSaver):
    """Breaks down instead of storing a checkpoint, as a machine that loses power there."""

    left: int

    async def aput(self, *args: Any, **kwargs: Any) -> Any:
        """Store a checkpoint, or break down."""
        self.left -= 1
        if self.left < 0:
            raise ConnectionResetError("power lost")
        return await super().aput(*args, **kwargs)


@pytest.mark.parametrize("checkpoints", range(1, 8))
async def test_stored_writes_without_their_checkpoint_are_not_done_again(
    tmp_path: Path, checkpoints: int
):
    """Stopped between a step's writes and its checkpoint, the step is taken from its writes."""
    log, path = tmp_path / "log", tmp_path / "c.db"
    async with Stopping.open(path) as saver:
        saver.left = checkpoints
        with pytest.raises(ConnectionResetError):
            await run_turn(saver, log, "one", 4)
    async with SqliteSaver.open(path) as saver:
        state = await run_turn(saver, log, "one", 4)
    ends = [line.removeprefix("end ") for line in _lines(log) if line.startswith("end")]
    assert sorted(ends) == sorted(line.split(" ")[0] for line in state["done"])
    assert len(ends) == 7


class Colour(Enum):
    """A type the state names."""

    RED = "red"


@dataclass
class Point:
    """A type the state names."""

    x: int


class Named(BaseModel):
    """A type the state names."""

    name: str


class Hidden(BaseModel):
    """A type the state does not name."""

    secret: str


class Typed(TypedDict):
    """Types that load, and one field in which anything may stand."""

    colour: Colour
    point: Point
    named: list[Named]
    anything: Any


async def test_types_named_in_the_state_load_and_others_are_not_built(url: str):
    """A type of the schema comes back as itself, one that only the data names as plain data."""

    async def make(state: Typed) -> dict[str, Any]:
        return {
            "colour": Colour.RED,
            "point": Point(1),
            "named": [Named(name=f"{i}") for i in range(40)],
            "anything": Hidden(secret="s"),
        }

    graph = StateGraph(Typed)
    graph.add_node("make", make)
    graph.add_edge(START, "make")
    config: Any = {"configurable": {"thread_id": "t"}}
    async with open_saver(url) as saver:
        await graph.compile(checkpointer=saver).ainvoke(cast("Any", {}), config, durability="sync")
    async with open_saver(url) as saver:
        values = (await graph.compile(checkpointer=saver).aget_state(config)).values
    assert values["colour"] is Colour.RED
    assert values["point"] == Point(1)
    assert values["named"] == [Named(name=f"{i}") for i in range(40)]
    assert not isinstance(values["anything"], Hidden)


def _append(state: list[str], writes: list[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


async def test_a_delta_channel_keeps_what_it_needs(url: str):
    """LangGraph's DeltaChannel finds its ancestors: pruning waits for its next snapshot."""

    class Delta(TypedDict):
        items: Annotated[list[str], DeltaChannel(_append, snapshot_frequency=5)]
        step: int

    async def work(state: Delta) -> dict[str, Any]:
        return {"items": [f"{state['step']}"], "step": state["step"] + 1}

    graph = StateGraph(Delta)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    graph.add_conditional_edges("work", lambda s: END if s["step"] >= 23 else "work")
    config: Any = {"configurable": {"thread_id": "t"}}
    async with open_saver(url) as saver:
        compiled = graph.compile(checkpointer=saver)
        await compiled.ainvoke({"items": [], "step": 0}, config, durability="sync")
    async with open_saver(url) as saver:
        values = (await graph.compile(checkpointer=saver).aget_state(config)).values
        assert values["items"] == [f"{i}" for i in range(23)]
        assert len([found async for found in saver.alist(None)]) < 15
