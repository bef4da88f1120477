"""What every saver of ours does, whatever it stores in; LangGraph's own in memory beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Send

from graphs.checkpointers import NoctuleSaver, open_saver
from noctule.core.errors import UsageError
from tests.support.checkpoint_line import Line, at

Opener = Callable[[], AbstractAsyncContextManager[NoctuleSaver]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Open the same store each time it is called."""
    if request.param == "sqlite":
        return lambda: open_saver(tmp_path / "checkpoints.db")
    url = request.getfixturevalue("postgres_url")
    return lambda: open_saver(url)


@pytest.fixture
async def saver(opener: Opener) -> AsyncIterator[NoctuleSaver]:
    async with opener() as opened:
        yield opened


VALUES: dict[str, Any] = {
    "none": None,
    "number": 7,
    "fraction": 0.5,
    "yes": True,
    "short": "a",
    "long": "ä" * 3000,
    "nul": "a\x00b",
    "bytes": b"\x00" * 2000,
    "few": [1, "two", {"three": [3]}],
    "many": [f"item {i} " + "x" * (i * 7) for i in range(100)],
    "numbers": [float(i) for i in range(500)],
    "messages": [HumanMessage(f"m{i}", id=str(i)) for i in range(70)],
    "one": AIMessage("hello", tool_calls=[{"name": "f", "args": {"a": 1}, "id": "c"}]),
    "sends": [Send("worker", {"messages": [HumanMessage("x", id="1")], "text": "y" * 900})],
    "deep": {"a": {"b": {"c": ["z" * 600] * 40}}},
    "empty": [],
    "wide": {str(i): i for i in range(2000)},
}


async def test_what_was_put_comes_back_in_another_process_of_the_same_store(opener: Opener):
    """Every kind of value is read back equal after the store was closed and opened again."""
    async with opener() as saver:
        await Line(saver).put(**VALUES)
    async with opener() as saver:
        found = await saver.aget_tuple(at())
    assert found is not None
    assert found.checkpoint["channel_values"] == VALUES
    assert found.config == at(id_="00000000")
    assert found.parent_config is None
    assert found.metadata["step"] == 0


async def test_unchanged_channels_are_carried_from_checkpoint_to_checkpoint(saver: NoctuleSaver):
    """A checkpoint holds the channels that an earlier one stored and nobody has changed since."""
    line = Line(saver)
    await line.put(**VALUES)
    for number in range(5):
        await line.put(number=number)
    found = await line.read()
    assert found.checkpoint["channel_values"] == {**VALUES, "number": 4}
    assert found.parent_config == at(id_="00000004")


async def test_writes_come_back_in_the_order_langgraph_applies_them(saver: NoctuleSaver):
    """Writes are sorted by path, task and number; what a task wrote once is not overwritten."""
    line = Line(saver)
    await line.put(a=1)
    await line.write(("b", [1]), ("c", "x" * 5000), task="two")
    await line.write(("b", {"k": 2}), task="one")
    await line.write(("b", "again"), task="one")
    pending = (await line.read()).pending_writes
    assert pending == [("one", "b", {"k": 2}), ("two", "b", [1]), ("two", "c", "x" * 5000)]


async def test_an_interrupt_replaces_the_one_before(saver: NoctuleSaver):
    """Interrupts and resume values keep one row per task; the newest wins."""
    line = Line(saver)
    await line.put(a=1)
    await line.write(("__interrupt__", ["first"]))
    await line.write(("__interrupt__", ["second"]))
    await line.write(("__resume__", ["answer"]))
    pending = (await line.read()).pending_writes
    assert sorted(pending or []) == [
        ("task", "__interrupt__", ["second"]),
        ("task", "__resume__", ["answer"]),
    ]


async def test_only_the_newest_two_checkpoints_of_a_namespace_stay(saver: NoctuleSaver):
    """Older checkpoints and their writes are gone; each namespace counts for itself."""
    line, other = Line(saver), Line(saver, space="sub")
    await other.put(a="kept")
    for number in range(6):
        await line.put(n=number)
        await line.write(("n", number))
    listed = [found async for found in saver.alist(at())]
    assert [found.checkpoint["channel_values"]["n"] for found in listed] == [5, 4]
    assert [found.pending_writes for found in listed] == [[("task", "n", 5)], [("task", "n", 4)]]
    assert await saver.aget_tuple(at(id_="00000003")) is None
    assert (await other.read()).checkpoint["channel_values"] == {"a": "kept"}


async def test_listing_filters_and_limits(saver: NoctuleSaver):
    """A list can be cut by metadata, by an id it must be older than, and by a number."""
    line = Line(saver)
    await line.put(n=0)
    await line.put({"source": "input"}, n=1)
    assert [t async for t in saver.alist(at(), limit=0)] == []
    assert [t.metadata["step"] async for t in saver.alist(at(), limit=1)] == [1]
    assert [t.metadata["step"] async for t in saver.alist(at(), filter={"source": "loop"})] == [0]
    assert [t.metadata["step"] async for t in saver.alist(at(), before=at(id_="00000001"))] == [0]
    assert len([t async for t in saver.alist(None)]) == 2
    assert [t async for t in saver.alist(at("nobody"))] == []


async def test_the_newest_is_the_one_stored_last_even_with_a_clock_set_back(saver: NoctuleSaver):
    """A checkpoint whose id sorts before its parent's is still the one a graph goes on from."""
    line = Line(saver)
    line.step = 50
    await line.put(n="before")
    line.step = 10
    await line.put(n="after")
    assert (await line.read()).checkpoint["channel_values"] == {"n": "after"}
    await line.put(n="later")
    assert (await line.read()).checkpoint["channel_values"] == {"n": "later"}


async def test_a_deleted_thread_is_gone_and_others_are_not(saver: NoctuleSaver):
    """Deleting a thread takes all its namespaces, and its id can be used anew."""
    gone, stays = Line(saver, "gone"), Line(saver, "stays")
    shared = ["same text " * 100] * 3
    for line in (gone, stays, Line(saver, "gone", "sub:1")):
        await line.put(a=shared)
    await saver.adelete_thread("gone")
    assert [t.config["configurable"]["thread_id"] async for t in saver.alist(None)] == ["stays"]
    gone = Line(saver, "gone")
    await gone.put(a=shared)
    assert (await gone.read()).checkpoint["channel_values"] == {"a": shared}
    assert (await stays.read()).checkpoint["channel_values"] == {"a": shared}


async def test_finished_subgraph_calls_can_be_dropped(saver: NoctuleSaver):
    """Namespaces of calls go on request; the graph's own and a stateful subgraph's stay."""
    for space in ("", "memory", "agent:1", "agent:1|tools:2"):
        await Line(saver, space=space).put(a=["text " * 200])
    await saver.adelete_namespaces("t")
    await saver.adelete_namespaces("nobody")
    left = {t.config["configurable"]["checkpoint_ns"] async for t in saver.alist(None)}
    assert left == {"", "memory"}


async def test_subgraph_calls_go_when_the_graph_has_gone_on(saver: NoctuleSaver):
    """A call's namespace disappears with the checkpoint it was called from, by itself."""
    root = Line(saver)
    started = await root.put(n=0)
    call = Line(saver, space="agent:1")
    await call.put({"parents": {"": started}}, a=1)
    await root.put(n=1)
    assert (await call.read()).checkpoint["channel_values"] == {"a": 1}
    await root.put(n=2)
    assert await saver.aget_tuple(at("t", "agent:1")) is None


async def test_writes_of_a_checkpoint_that_is_still_on_its_way_are_kept(saver: NoctuleSaver):
    """LangGraph may store a task's writes before the checkpoint they belong to."""
    line = Line(saver)
    await line.put(n=0)
    await saver.aput_writes(at(id_="00000001"), [("n", 1)], "early")
    await line.put(n=1)
    assert (await line.read()).pending_writes == [("early", "n", 1)]


async def test_sixty_four_sessions_at_once_keep_apart(saver: NoctuleSaver):
    """Sessions that store at the same moment each read their own state back."""
    lines = [Line(saver, f"t{i}") for i in range(64)]

    async def work(line: Line) -> None:
        for step in range(4):
            await line.put(n=f"{line.thread} {step}", text=f"{line.thread} " * 200)
            await line.write(("n", line.thread))

    await asyncio.gather(*map(work, lines))
    for line in lines:
        found = await line.read()
        assert found.checkpoint["channel_values"]["n"] == f"{line.thread} 3"
        assert found.pending_writes == [("task", "n", line.thread)]


async def test_the_order_of_versions_is_the_order_of_changes(saver: NoctuleSaver):
    """Each version sorts after the one before, also past ten changes."""
    versions = [saver.get_next_version(None, None)]
    for _ in range(30):
        versions.append(saver.get_next_version(versions[-1], None))
    assert versions == sorted(versions)
    assert len(set(versions)) == 31


# PostgreSQL: what is its own


@pytest.mark.postgres
async def test_postgres_keeps_growth_bounded(postgres_url: str):
    """No more blobs stay than the kept checkpoints name, however many were put."""
    async with open_saver(postgres_url) as saver:
        line = Line(saver)
        await line.put(still="the same")
        for step in range(20):
            await line.put(items=[step] * 10)
            await line.write(("items", [step]))
        async with saver._cursor() as cursor:
            counts = []
            for table in ("checkpoints", "checkpoint_writes", "checkpoint_blobs"):
                await cursor.execute(f"SELECT count(*) AS n FROM {table}")
                counts.append((await cursor.fetchone())["n"])
        assert counts == [2, 2, 3]


@pytest.mark.postgres
async def test_two_workers_may_start_at_the_same_moment(postgres_url: str):
    """Both make the tables; neither fails; both see the same store."""

    @asynccontextmanager
    async def worker() -> AsyncIterator[NoctuleSaver]:
        async with open_saver(postgres_url) as saver:
            yield saver

    async def start() -> None:
        async with worker() as saver:
            await Line(saver, "same").put(n=1)

    await asyncio.gather(start(), start(), start())


async def test_an_unreachable_server_and_a_strange_schema_are_refused_with_sentences():
    """A schema that is no plain name is a usage error."""
    with pytest.raises(UsageError, match="cannot name"):
        async with open_saver("postgresql://127.0.0.1:1/x", schema='a"; DROP'):
            pass


def test_the_stock_saver_in_memory_is_the_yardstick():
    """The helper of this suite drives LangGraph's own saver the same way."""

    async def drive() -> None:
        line = Line(InMemorySaver())
        await line.put(**VALUES)
        assert (await line.read()).checkpoint["channel_values"] == VALUES

    asyncio.run(drive())


async def test_texts_are_rewritten_wherever_they_stand_and_nothing_else_changes(opener: Opener):
    """In short texts and long ones, runs, messages, tool calls, keys, and what tasks wrote."""
    secret, other = "tr0ub4dor-and-3-horses", "[secret:0123456789ab]"

    def mask(text: str) -> str:
        return text.replace(secret, other)

    def hold(word: str) -> dict[str, object]:
        return {
            "text": f"a {word} b",
            "long": "x" * 900 + word + "y" * 9000,
            "twice": ["z" * 600 + word, "z" * 600 + word, "z" * 600 + other],
            "many": [f"{i} {word} " + "x" * (i * 9) for i in range(100)],
            "messages": [HumanMessage(f"m{i} {word}", id=str(i)) for i in range(70)],
            "one": AIMessage("ok", tool_calls=[{"name": "f", "args": {word: [word]}, "id": "c"}]),
            "sends": [Send("worker", {"messages": [HumanMessage(word, id="1")], "t": word * 90})],
            "deep": {word: {"b": {"c": [word * 40] * 40}}},
        }

    async with opener() as saver:
        line = Line(saver)
        secrets: dict[str, Any] = {f"s_{name}": value for name, value in hold(secret).items()}
        await line.put(**VALUES, **secrets)
        await saver.aput_writes(line.config, [("out", {"said": secret * 50})], "task")
        await saver.arewrite("t", mask)
        await saver.arewrite("nobody", mask)
    async with opener() as saver:
        found = await saver.aget_tuple(at("t"))
        assert found is not None
        values = found.checkpoint["channel_values"]
        assert {name: values[name] for name in VALUES} == VALUES
        assert {name: values[f"s_{name}"] for name in hold(other)} == hold(other)
        assert found.pending_writes is not None
        assert [value for _, _, value in found.pending_writes] == [{"said": other * 50}]
        line = Line(saver)
        line.config, line.step = found.config, 5
        await line.put(text=f"and {secret} again", **VALUES)
        again = await saver.aget_tuple(at("t"))
        assert again is not None
        assert again.checkpoint["channel_values"]["text"] == f"and {secret} again"
        await saver.adelete_thread("t")
        assert await saver.aget_tuple(at("t")) is None
