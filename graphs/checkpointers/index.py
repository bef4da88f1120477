"""What is stored of the threads in use, in memory: which rows there are and what they refer to.

With it one transaction for many sessions needs a handful of statements instead of many per
session. That matters less for SQLite than for Python: around every row the interpreter lock is
given up, and while the event loop is busy each return of it costs up to 5 ms.

The index is an image of the file as of the last commit. It is thrown away when a transaction
fails and when another connection has changed the file, and read again from it when needed.
"""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphs.checkpointers.chunks import DIGEST_BYTES

Refs = tuple[bytes, ...]
KEPT_THREADS = 1024


@dataclass(slots=True)
class CheckpointRow:
    """One stored checkpoint: its place in the order of storing, and what it refers to."""

    seq: int
    refs: Refs


@dataclass(slots=True)
class NamespaceIndex:
    """One namespace of a thread.

    Args:
        key: its number in the tables.
        name: "" for the graph itself.
        root: the outermost graph's checkpoint it was called from; None when not known.
        checkpoints: by id.
        writes: by checkpoint, then by task and number.
    """

    key: int
    name: str
    root: str | None = None
    checkpoints: dict[str, CheckpointRow] = field(default_factory=dict)
    writes: dict[str, dict[tuple[str, int], Refs]] = field(default_factory=dict)

    @property
    def is_call(self) -> bool:
        """Whether it belongs to one call of a subgraph, whose task id its name ends with."""
        return ":" in self.name


@dataclass(slots=True)
class ThreadIndex:
    """One thread: its epoch, its namespaces by name, the digests of parts known to be stored."""

    key: int
    name: str
    epoch: int = 0
    namespaces: dict[str, NamespaceIndex] = field(default_factory=dict)
    known: set[bytes] = field(default_factory=set)


class Index:
    """The threads in use, read from the file when first asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._threads: OrderedDict[str, ThreadIndex] = OrderedDict()
        self._data_version: int | None = None
        self._next = {"thread": 0, "namespace": 0, "part": 0}

    def refresh(self) -> None:
        """Forget everything if another connection changed the file; call inside a transaction."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._data_version:
            return
        self._threads.clear()
        for table in self._next:
            row = self._connection.execute(f"SELECT max(key) FROM {table}").fetchone()  # noqa: S608 - one of the three names above
            self._next[table] = (row[0] or 0) + 1
        self._data_version = version

    def clear(self) -> None:
        """Forget everything, because a transaction was rolled back."""
        self._threads.clear()
        self._data_version = None

    def trim(self) -> None:
        """Forget the threads used longest ago beyond 1,024; call between transactions."""
        while len(self._threads) > KEPT_THREADS:
            self._threads.popitem(last=False)

    def new_key(self, table: str) -> int:
        """Return a number no row of a table has."""
        key = self._next[table]
        self._next[table] += 1
        return key

    def find(self, name: str) -> ThreadIndex | None:
        """Return a thread; None when nothing of it is stored."""
        thread = self._threads.get(name) or self._load(name)
        if thread is not None:
            self._threads[name] = thread
            self._threads.move_to_end(name)
        return thread

    def add(self, name: str) -> ThreadIndex:
        """Return a new thread."""
        thread = self._threads[name] = ThreadIndex(self.new_key("thread"), name)
        return thread

    def forget(self, name: str) -> None:
        """Drop one thread."""
        self._threads.pop(name, None)

    def _load(self, name: str) -> ThreadIndex | None:
        row = self._connection.execute(
            "SELECT key, epoch FROM thread WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            return None
        thread = ThreadIndex(row[0], name, row[1])
        by_key = {}
        for key, space, root in self._rows("namespace", "key, name, root", thread.key):
            by_key[key] = thread.namespaces[space] = NamespaceIndex(key, space, root)
        inside = "SELECT key FROM namespace WHERE thread = ?"
        columns = "namespace, id, seq, hex(refs)"
        for key, id_, seq, refs in self._rows("checkpoint", columns, thread.key, inside):
            by_key[key].checkpoints[id_] = CheckpointRow(seq, split(bytes.fromhex(refs)))
        columns = "namespace, checkpoint, task, idx, hex(refs)"
        for key, id_, task, idx, refs in self._rows("write", columns, thread.key, inside):
            rows = by_key[key].writes.setdefault(id_, {})
            rows[task, idx] = split(bytes.fromhex(refs))
        return thread

    def _rows(self, table: str, columns: str, thread: int, inside: str = "") -> list[list[Any]]:
        where = f"namespace IN ({inside})" if inside else "thread = ?"
        return gather(self._connection, columns, f"FROM {table} WHERE {where}", [thread])


def gather(
    connection: sqlite3.Connection, columns: str, rest: str, values: Sequence[object]
) -> list[list[Any]]:
    """Return all rows of a query in one step of the interpreter lock; blobs through ``hex()``."""
    sql = f"SELECT json_group_array(json_array({columns})) {rest}"
    rows: list[list[Any]] = json.loads(connection.execute(sql, values).fetchone()[0])
    return rows


def split(refs: bytes) -> Refs:
    """Return the digests that stand one after another in a column."""
    return tuple(refs[at : at + DIGEST_BYTES] for at in range(0, len(refs), DIGEST_BYTES))


def join(refs: Iterable[bytes]) -> bytes:
    """Return digests as they stand in a column."""
    return b"".join(refs)
