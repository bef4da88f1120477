"""What every saver of ours does, whatever it stores in; LangGraph's own in memory beside it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Send

from graphs.savers import NoctuleSaver, SqliteSaver, open_saver
from noctule.core.errors import DatabaseTooNewError, StorageError, UsageError
from tests.support.checkpoint_line import Line, at

Opener = Callable[[], AbstractAsyncContextManager[NoctuleSaver]]
PART_TABLES = ("element", "part")
TABLES = ("thread", "namespace", "checkpoint", "write", *PART_TABLES)


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


VALUES = {
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


async def test_a_value_that_cannot_be_stored_fails_alone(tmp_path: Path):
    """An unstorable value is reported to who put it; the saver serves the others."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        with pytest.raises(Exception, match="cannot be stored"):
            await Line(saver, "bad").put(a=object())
        await Line(saver, "good").put(a=1)


async def test_the_order_of_versions_is_the_order_of_changes(saver: NoctuleSaver):
    """Each version sorts after the one before, also past ten changes."""
    versions = [saver.get_next_version(None, None)]
    for _ in range(30):
        versions.append(saver.get_next_version(versions[-1], None))
    assert versions == sorted(versions)
    assert len(set(versions)) == 31


async def test_synchronous_calls_are_refused_with_a_sentence(tmp_path: Path):
    """The file saver is asynchronous only and says so."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        with pytest.raises(NotImplementedError, match="asynchronous only"):
            saver.get_tuple(at())


# SQLite: what the file looks like


async def test_a_growing_list_leaves_a_small_file(tmp_path: Path):
    """A list that grows to 1 MB in 200 steps leaves less than 4 MiB, log included."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        line = Line(saver)
        items: list[dict[str, Any]] = []
        for step in range(200):
            items = [*items, {"n": step, "text": f"{step} " + "x" * 5000}]
            await line.write(("items", items[-1:]))
            await line.put(items=items)
        size = _size(tmp_path)
    assert size < 4 * 1024**2
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        assert (await Line(saver).read()).checkpoint["channel_values"] == {"items": items}


async def test_long_lists_cost_a_step_the_same_as_short_ones(tmp_path: Path):
    """With 2,000 messages an appended one still writes a few rows of a few kilobytes."""
    said = [HumanMessage("word " * 20, id=str(i)) for i in range(2000)]
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        line = Line(saver)
        await line.put(messages=said)
        await line.put(messages=[*said, HumanMessage("new", id="new")])
    before = _rows(tmp_path / "c.db", "SELECT key FROM part")
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        line.saver = saver
        await line.put(messages=[*said, HumanMessage("new", id="new"), AIMessage("x", id="x")])
    new = _rows(
        tmp_path / "c.db",
        f"SELECT length(payload) + length(refs) FROM part WHERE key > {max(before)[0]}",
    )
    assert len(new) <= 2
    assert sum(size for (size,) in new) < 8000


async def test_parts_nobody_refers_to_are_deleted(tmp_path: Path):
    """Replaced text, trimmed messages and deleted threads leave no rows behind."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        line = Line(saver)
        for step in range(6):
            await line.put(text=f"{step}" * 3000, list=[f"{step} {i} " * 200 for i in range(80)])
        await line.put(text="", list=[])
        await line.put(text="x", list=[])
        for table in PART_TABLES:
            assert _rows(tmp_path / "c.db", f"SELECT count(*) FROM {table}") == [(0,)]
        await saver.adelete_thread("t")
        for table in TABLES:
            assert _rows(tmp_path / "c.db", f"SELECT count(*) FROM {table}") == [(0,)]


async def test_a_part_that_was_deleted_is_stored_again_when_it_comes_back(tmp_path: Path):
    """State that the saver believes stored, but that another process deleted, is written anew."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        line = Line(saver)
        await line.put(text="long " * 500, n=0)
        async with SqliteSaver.open(tmp_path / "c.db") as other:
            await other.adelete_thread("t")
        await line.put(n=1)
        assert (await line.read()).checkpoint["channel_values"] == {"text": "long " * 500, "n": 1}


async def test_subgraphs_of_a_thread_share_what_they_pass_on(tmp_path: Path):
    """The same messages in two namespaces and a write are stored once."""
    said = [HumanMessage("word " * 100, id=str(i)) for i in range(40)]
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        await Line(saver).put(messages=said)
        first = _rows(tmp_path / "c.db", "SELECT count(*) FROM part")
        sub = Line(saver, space="agent:1")
        await sub.put(messages=said)
        await sub.write(("messages", said))
        assert _rows(tmp_path / "c.db", "SELECT count(*) FROM part") == first


# SQLite: what goes wrong


async def test_a_locked_file_delays_and_does_not_fail(tmp_path: Path):
    """While another process holds the write lock for 3 s, a put waits and then succeeds."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        line = Line(saver)
        await line.put(n=0)
        holder = sqlite3.connect(tmp_path / "c.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(line.put(n=1))
        done, _ = await asyncio.wait([waiting], timeout=3)
        assert not done
        holder.execute("COMMIT")
        holder.close()
        await waiting
        assert (await line.read()).checkpoint["channel_values"] == {"n": 1}


async def test_a_full_disk_fails_who_needs_space_and_later_work_goes_on(tmp_path: Path):
    """What does not fit raises a sentence; what fits is stored, in the same moment and after."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        await Line(saver, "first").put(n=0)
        pages = await saver._writer.read(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        await saver._writer.read(
            lambda c: c.execute(f"PRAGMA max_page_count = {pages + 20}").fetchone()
        )
        big, small = Line(saver, "big"), Line(saver, "small")
        failed, stored = await asyncio.gather(
            big.put(text=[str(i) * 2000 for i in range(200)]),
            small.put(n=1),
            return_exceptions=True,
        )
        assert isinstance(failed, StorageError)
        assert "Free some space" in str(failed)
        assert stored == "00000000"
        await small.put(n=2)
        await saver._writer.read(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
        await big.put(text=[str(i) * 2000 for i in range(200)])
        assert (await small.read()).checkpoint["channel_values"] == {"n": 2}
        assert len((await big.read()).checkpoint["channel_values"]["text"]) == 200


@pytest.mark.parametrize("damage", ["UPDATE part SET payload = x'00'", "DELETE FROM part"])
async def test_a_damaged_checkpoint_is_that_sessions_problem(tmp_path: Path, damage: str):
    """A part that is missing or not what was stored names its session; others are read."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        await Line(saver, "whole").put(n=1)
        broken = Line(saver, "broken")
        await broken.put(text="long " * 500)
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute(damage)
    connection.close()
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        broken.saver = saver
        with pytest.raises(StorageError, match="session broken is damaged"):
            await broken.read()
        assert await saver.aget_tuple(at("whole"))
        await saver.adelete_thread("broken")


@pytest.mark.parametrize("column", ["body", "channels", "metadata"])
async def test_garbage_in_a_checkpoint_row_is_told_from_a_bug(tmp_path: Path, column: str):
    """Bytes that are not msgpack are reported as damage of one session."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        await Line(saver).put(n=1)
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute(f"UPDATE checkpoint SET {column} = x'c1c1'")
    connection.close()
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        with pytest.raises(StorageError, match="session t is damaged"):
            await saver.aget_tuple(at())


async def test_a_file_that_is_no_database_is_refused_with_a_sentence(tmp_path: Path):
    """Garbage, a missing folder and a newer layout each say what to do."""
    (tmp_path / "garbage").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageError, match="is damaged"):
        async with SqliteSaver.open(tmp_path / "garbage"):
            pass
    with pytest.raises(StorageError, match="folder exists"):
        async with SqliteSaver.open(tmp_path / "missing" / "c.db"):
            pass
    with sqlite3.connect(tmp_path / "newer.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DatabaseTooNewError, match="Upgrade Noctule"):
        async with SqliteSaver.open(tmp_path / "newer.db"):
            pass


async def test_a_closed_saver_says_so(tmp_path: Path):
    """What is asked of a closed saver fails with a sentence instead of waiting for ever."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        pass
    with pytest.raises(StorageError, match="was closed"):
        await Line(saver).put(n=1)


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


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute(sql).fetchall()
    connection.close()
    return rows


def test_the_stock_saver_in_memory_is_the_yardstick():
    """The helper of this suite drives LangGraph's own saver the same way."""

    async def drive() -> None:
        line = Line(InMemorySaver())
        await line.put(**VALUES)
        assert (await line.read()).checkpoint["channel_values"] == VALUES

    asyncio.run(drive())
