"""Which parts are stored, and how often each is referred to; a part nobody needs is deleted."""

import sqlite3
from collections import Counter
from collections.abc import Iterable

from graphs.checkpointers.changes import Contents
from graphs.checkpointers.chunks import Chunk
from graphs.checkpointers.index import Index, ThreadIndex, gather, join, split
from graphs.checkpointers.statements import delete, insert, slices

Key = tuple[int, bytes]


class Counts:
    """Adds up the references one transaction makes and drops; most cancel out.

    Args:
        connection: inside a transaction.
        index: gives the numbers of new parts.
    """

    def __init__(self, connection: sqlite3.Connection, index: Index) -> None:
        self._connection = connection
        self._index = index
        self._threads: dict[int, ThreadIndex] = {}
        self._changes: Counter[Key] = Counter()
        self._fresh: dict[Key, Chunk] = {}

    def look_up(self, wanted: Iterable[tuple[ThreadIndex, Contents]]) -> None:
        """Learn from the file which of the parts named are stored."""
        unknown = []
        for thread, contents in wanted:
            self._threads[thread.key] = thread
            unknown += [(thread.key, digest) for digest in _named(contents) - thread.known]
        for marks, values in slices(unknown):
            where = f"FROM element WHERE (thread, digest) IN (VALUES {marks})"
            for key, digest in gather(self._connection, "thread, hex(digest)", where, values):
                self._threads[key].known.add(bytes.fromhex(digest))

    def adopt(self, thread: ThreadIndex, contents: Contents) -> bool:
        """Take in the parts that are new; False when one is neither stored nor given."""
        new: dict[bytes, Chunk] = {}
        open_ = [ref for entry in contents.entries.values() for ref in entry.refs]
        while open_:
            digest = open_.pop()
            if digest in thread.known or digest in new or (thread.key, digest) in self._fresh:
                continue
            part = contents.parts.get(digest)
            if part is None:
                return False
            new[digest] = part
            open_ += part.refs
        self._threads[thread.key] = thread
        for digest, part in new.items():
            self._fresh[thread.key, digest] = part
            self._changes[thread.key, digest] += 0  # counted even if nothing comes to refer to it
            self.add(thread, part.refs, 1)
        return True

    def add(self, thread: ThreadIndex, refs: Iterable[bytes], by: int) -> None:
        """Note references made (1) or dropped (-1)."""
        self._threads[thread.key] = thread
        for digest in refs:
            self._changes[thread.key, digest] += by

    def flush(self) -> None:
        """Store what is new, count anew, delete what nobody refers to any more."""
        suspects = [key for key, by in self._changes.items() if by < 0]
        suspects += [key for key in self._fresh if self._changes[key] == 0]
        self._store()
        while suspects:
            suspects = self._delete_unneeded(suspects)
        self._changes.clear()

    def _store(self) -> None:
        numbers = {key: self._index.new_key("part") for key in self._fresh}
        insert(
            self._connection.execute,
            "part",
            [(numbers[key], join(part.refs), part.payload) for key, part in self._fresh.items()],
        )
        self._count(numbers)
        for key, digest in self._fresh:
            self._threads[key].known.add(digest)
        self._fresh.clear()

    def _count(self, numbers: dict[Key, int]) -> None:
        rows = [
            (*key, by, numbers.get(key, 0))
            for key, by in self._changes.items()
            if by or key in numbers
        ]
        for marks, values in slices(rows):
            self._connection.execute(
                f"INSERT INTO element (thread, digest, count, part) VALUES {marks} "  # noqa: S608 - question marks
                "ON CONFLICT (thread, digest) DO UPDATE SET count = count + excluded.count",
                values,
            )

    def _delete_unneeded(self, suspects: list[Key]) -> list[Key]:
        gone: list[Key] = []
        parts: list[tuple[int]] = []
        self._changes.clear()
        for marks, values in slices(suspects):
            columns = "thread, hex(digest), part, hex(refs)"
            rest = (
                "FROM element JOIN part ON part.key = element.part "
                f"WHERE (thread, digest) IN (VALUES {marks}) AND count <= 0"
            )
            for key, digest, part, refs in gather(self._connection, columns, rest, values):
                gone.append((key, bytes.fromhex(digest)))
                parts.append((part,))
                self.add(self._threads[key], split(bytes.fromhex(refs)), -1)
        delete(self._connection.execute, "element", ("thread", "digest"), gone)
        delete(self._connection.execute, "part", ("key",), parts)
        for key, digest in gone:
            self._threads[key].known.discard(digest)
        children = list(self._changes)
        self._count({})
        return children


def _named(contents: Contents) -> set[bytes]:
    named = {ref for entry in contents.entries.values() for ref in entry.refs}
    for digest, part in contents.parts.items():
        named.add(digest)
        named.update(part.refs)
    return named
