"""What is the SQLite saver's own: its file, what goes wrong with it, and how it goes on."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from graphs.checkpointers import SqliteSaver
from noctule.core.errors import DatabaseTooNewError, StorageError
from tests.support.checkpoint_line import Line, at

PART_TABLES = ("element", "part")
TABLES = ("thread", "namespace", "checkpoint", "write", *PART_TABLES)


async def test_a_message_changed_in_place_is_stored_as_it_is_now(tmp_path: Path):
    """Runs that were stored before are recognised, and what a node changed in one is noticed."""
    said: list[Any] = [
        AIMessage(f"{i}", id=str(i), response_metadata={"tags": ["a"], "n": i}) for i in range(70)
    ]
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        line = Line(saver)
        await line.put(messages=said)
        for change in (
            lambda: setattr(said[3], "content", "replaced"),
            lambda: said[40].response_metadata.update(n="replaced"),
            lambda: said[41].response_metadata["tags"].append("added"),
            lambda: said[41].response_metadata["tags"].__setitem__(0, "replaced"),
            lambda: setattr(said[5], "unforeseen", ["added"]),
            lambda: said[5].unforeseen.append("again"),
        ):
            change()
            await line.put(messages=list(said))
            async with SqliteSaver.open(tmp_path / "c.db") as other:
                found = await Line(other).read()
            assert found.checkpoint["channel_values"]["messages"] == said


async def test_a_value_that_cannot_be_stored_fails_alone(tmp_path: Path):
    """An unstorable value is reported to who put it; the saver serves the others."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        with pytest.raises(Exception, match="cannot be stored"):
            await Line(saver, "bad").put(a=object())
        await Line(saver, "good").put(a=1)


async def test_synchronous_calls_are_refused_with_a_sentence(tmp_path: Path):
    """The file saver is asynchronous only and says so."""
    async with SqliteSaver.open(tmp_path / "c.db") as saver:
        with pytest.raises(NotImplementedError, match="asynchronous only"):
            saver.get_tuple(at())


# what the file looks like


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


# what goes wrong


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


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute(sql).fetchall()
    connection.close()
    return rows


async def test_parts_that_were_rewritten_are_counted_as_before(tmp_path: Path):
    """Also two that have become one: when nothing refers to them any more, none is left."""
    path = tmp_path / "c.db"
    async with SqliteSaver.open(path) as saver:
        line = Line(saver)
        alike = ["x" * 600 + word for word in ("one", "two", "two", "three")]
        await line.put(a=alike, b={"deep": [alike[0], "y" * 3000 + "one"]}, c=["one"] * 100)
        await line.write(("d", alike))
        await saver.arewrite("t", lambda text: text.replace("one", "two"))
        assert (await line.read()).checkpoint["channel_values"]["a"][0] == alike[1]
        for step in range(4):
            await line.put(a=step, b=None, c=None)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM element").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM part").fetchone() == (0,)
