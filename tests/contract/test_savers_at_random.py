"""Random work on our SQLite saver and on LangGraph's own in memory, side by side."""

import asyncio
import sqlite3
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from graphs.checkpointers import SqliteSaver
from graphs.checkpointers.index import split
from tests.support.checkpoint_line import Line, at
from tests.support.fuzzing import examples

THREADS = ("one", "two")
SPACES = ("", "memory", "call:1", "call:1|inner:2")
MESSAGES = [HumanMessage(f"{i} " + "word " * 40, id=str(i)) for i in range(80)]

texts = st.sampled_from(["a", "b" * 600, "c" * 3000])
values = st.one_of(
    st.none(),
    st.integers(-5, 5),
    texts,
    st.lists(texts, max_size=4),
    st.integers(0, 80).map(lambda n: MESSAGES[:n]),
    st.integers(0, 80).map(lambda n: MESSAGES[n:]),
    st.dictionaries(st.sampled_from("xy"), texts, max_size=2),
)
channels = st.sampled_from(["p", "q", "r"])
places = st.tuples(st.sampled_from(THREADS), st.sampled_from(SPACES))
puts = st.tuples(st.just("put"), places, st.dictionaries(channels, values, max_size=2))
writes = st.tuples(
    st.just("write"),
    places,
    st.sampled_from(["t1", "t2"]),
    st.lists(
        st.tuples(st.sampled_from(["p", "q", "__interrupt__", "__resume__"]), values),
        min_size=1,
        max_size=3,
    ),
)
steps = st.one_of(
    puts,
    writes,
    st.tuples(st.just("delete"), st.sampled_from(THREADS)),
    st.tuples(st.just("drop calls"), st.sampled_from(THREADS)),
    st.tuples(st.just("open again")),
)


class Pair:
    """Both savers, and a line of checkpoints for each namespace of each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.memory = InMemorySaver()
        self.stack = AsyncExitStack()
        self.lines: dict[tuple[str, str], tuple[Line, Line]] = {}
        self.roots: dict[tuple[str, str], str] = {}

    async def open(self) -> None:
        """Open the file, as another process would."""
        await self.stack.aclose()
        self.ours = await self.stack.enter_async_context(SqliteSaver.open(self.path))
        for mine, _ in self.lines.values():
            mine.saver = self.ours

    def both(self, place: tuple[str, str]) -> tuple[Line, Line]:
        """Return the lines of a namespace."""
        if place not in self.lines:
            self.lines[place] = (Line(self.ours, *place), Line(self.memory, *place))
        return self.lines[place]

    async def put(self, place: tuple[str, str], changed: dict[str, Any]) -> None:
        """Store a checkpoint in both; a call notes the newest checkpoint of its thread's root."""
        root = self.lines.get((place[0], ""))
        parents = {}
        if ":" in place[1] and root is not None:
            parents = {"": f"{root[0].step:08}"}
            self.roots[place] = parents[""]
        for line in self.both(place):
            await line.put({"parents": parents}, **changed)
        if not place[1]:
            oldest = f"{self.both(place)[0].step - 1:08}"
            self.forget([p for p, id_ in self.roots.items() if p[0] == place[0] and id_ < oldest])

    async def write(self, place: tuple[str, str], task: str, writes: list[tuple[str, Any]]) -> None:
        """Store writes in both, where there is a checkpoint."""
        if place in self.lines:
            for line in self.both(place):
                await line.write(*writes, task=task)

    async def delete(self, thread: str) -> None:
        """Delete a thread in both."""
        await self.ours.adelete_thread(thread)
        self.forget([place for place in self.lines if place[0] == thread])

    async def drop_calls(self, thread: str) -> None:
        """Drop the subgraph calls of a thread in both."""
        await self.ours.adelete_namespaces(thread)
        self.forget([place for place in self.lines if place[0] == thread and ":" in place[1]])

    def forget(self, places: list[tuple[str, str]]) -> None:
        """Delete namespaces from the memory saver, which has no such call."""
        for place in places:
            self.memory.storage[place[0]].pop(place[1], None)
            kept: tuple[dict[Any, Any], ...] = (self.memory.writes, self.memory.blobs)
            for stored in kept:
                for key in [key for key in stored if key[:2] == place]:
                    del stored[key]
            self.lines.pop(place, None)
            self.roots.pop(place, None)

    async def compare(self) -> None:
        """Read the newest checkpoint of every namespace from both."""
        for thread in THREADS:
            for space in SPACES:
                mine = await self.ours.aget_tuple(at(thread, space))
                theirs = await self.memory.aget_tuple(at(thread, space))
                assert (mine is None) == (theirs is None), (thread, space)
                if mine is None or theirs is None:
                    continue
                assert mine.checkpoint["channel_values"] == theirs.checkpoint["channel_values"]
                assert mine.pending_writes == theirs.pending_writes
                assert mine.config == theirs.config
                assert mine.parent_config == theirs.parent_config
                assert mine.metadata == theirs.metadata


def _assert_counts_are_right(path: Path) -> None:
    connection = sqlite3.connect(path)
    expected: Counter[tuple[int, bytes]] = Counter()
    for table in ("checkpoint", "write"):
        for thread, refs in connection.execute(
            f"SELECT thread, refs FROM {table} JOIN namespace ON namespace = namespace.key"
        ):
            expected.update((thread, ref) for ref in split(refs))
    elements = connection.execute(
        "SELECT thread, digest, count, refs FROM element JOIN part ON part = part.key"
    ).fetchall()
    for thread, _, _, refs in elements:
        expected.update((thread, ref) for ref in split(refs))
    stored = {(thread, digest): count for thread, digest, count, _ in elements}
    parts = connection.execute("SELECT count(*) FROM part").fetchone()[0]
    connection.close()
    assert stored == dict(expected)
    assert parts == len(stored)


async def _run(script: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder) / "c.db")
        await pair.open()
        try:
            for name, *rest in script:
                match name:
                    case "put":
                        await pair.put(*rest)
                    case "write":
                        await pair.write(*rest)
                    case "delete":
                        await pair.delete(*rest)
                    case "drop calls":
                        await pair.drop_calls(*rest)
                    case _:
                        await pair.open()
                await pair.compare()
        finally:
            await pair.stack.aclose()
        _assert_counts_are_right(pair.path)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(steps, max_size=25))
def test_whatever_is_done_the_newest_state_is_what_langgraphs_saver_has(script: list[Any]):
    """After any work both savers return the same, and every part is counted exactly."""
    asyncio.run(_run(script))


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(st.lists(st.one_of(puts, writes), max_size=6), max_size=5))
def test_what_many_sessions_do_in_one_transaction_is_what_each_did(scripts: list[list[Any]]):
    """Work of several threads that ends in the same transactions is kept apart and counted."""

    async def session(saver: SqliteSaver, number: int, script: list[Any]) -> None:
        line = Line(saver, f"thread {number}")
        await line.put(p=MESSAGES[:40], q=None)
        for name, _, *rest in script:
            if name == "put":
                await line.put(**rest[0])
            else:
                await line.write(*rest[1], task=rest[0])
        found = await line.read()
        assert found.checkpoint["channel_values"] == line.values

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "c.db"
            async with SqliteSaver.open(path) as saver:
                await asyncio.gather(
                    *(session(saver, number, script) for number, script in enumerate(scripts))
                )
            _assert_counts_are_right(path)

    asyncio.run(run())
