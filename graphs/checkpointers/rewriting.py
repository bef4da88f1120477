"""Rewriting: texts in what a saver stored are replaced where they stand, whatever holds them.

Bytes are taken apart as msgpack and put together again, so that no class has to be known and
nothing but texts changes. A part whose bytes change gets the name they have then, and whoever
refers to it the new name.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ormsgpack

from graphs.checkpointers.channels import pack_channels, unpack_channels
from graphs.checkpointers.chunks import REFERENCE, Entry, digest_of
from graphs.checkpointers.index import join, split

Mask = Callable[[str], str]
"""Returns a text without what must not stay in it."""

_MSGPACK = "msgpack"
_OPTIONS = ormsgpack.OPT_NON_STR_KEYS


def rewritten(payload: bytes, mask: Mask, renamed: Callable[[bytes], bytes] | None = None) -> bytes:
    """Return bytes with every text in them masked; the same bytes when nothing changes.

    Args:
        payload: msgpack; anything else comes back as it is.
        mask: of each text.
        renamed: returns the new name of a part by its old one; None where there are no parts.
    """
    changed = False

    def hook(code: int, data: bytes) -> ormsgpack.Ext:
        nonlocal changed
        if code == REFERENCE and renamed is not None:
            inner = renamed(data)
        else:
            inner = rewritten(data, mask, renamed)
        changed = changed or inner != data
        return ormsgpack.Ext(code, inner)

    def walk(value: Any) -> Any:
        nonlocal changed
        if isinstance(value, str):
            after = mask(value)
            changed = changed or after != value
            return after
        if isinstance(value, dict):
            return {walk(key): walk(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [walk(inner) for inner in value]
        return value

    try:
        whole = walk(ormsgpack.unpackb(payload, ext_hook=hook, option=_OPTIONS))
    except (ValueError, TypeError):  # bytes of another kind
        return payload
    return ormsgpack.packb(whole, option=_OPTIONS) if changed else payload


@dataclass(slots=True)
class _Stored:
    count: int
    key: int
    refs: tuple[bytes, ...]
    payload: bytes


@dataclass(slots=True)
class ThreadRewriting:
    """Rewrites one thread of a SQLite checkpoint file, inside a transaction.

    Args:
        connection: of the file.
        thread: its number in the tables.
        mask: of each text.
    """

    connection: sqlite3.Connection
    thread: int
    mask: Mask
    _parts: dict[bytes, _Stored] = field(default_factory=dict)
    _names: dict[bytes, bytes] = field(default_factory=dict)
    _payloads: dict[bytes, bytes] = field(default_factory=dict)

    def run(self) -> bool:
        """Rewrite everything; return whether anything changed."""
        rows = self.connection.execute(
            "SELECT digest, count, part.key, refs, payload FROM element "
            "JOIN part ON part.key = element.part WHERE thread = ?",
            (self.thread,),
        )
        self._parts = {row[0]: _Stored(row[1], row[2], split(row[3]), row[4]) for row in rows}
        for digest in self._parts:
            self._renamed(digest)
        self._keep_parts()
        checkpoints = self._checkpoints()
        writes = self._writes()
        return checkpoints or writes or any(old != new for old, new in self._names.items())

    def _renamed(self, digest: bytes) -> bytes:
        """Return the name a part has once it is rewritten."""
        if digest not in self._names:
            stored = self._parts.get(digest)
            if stored is None:  # it is missing: who reads it is told
                return digest
            self._names[digest] = digest  # a part cannot hold itself
            payload = rewritten(stored.payload, self.mask, self._renamed)
            name = digest if payload == stored.payload else digest_of(payload)
            self._names[digest] = name
            self._payloads[name] = payload
        return self._names[digest]

    def _keep_parts(self) -> None:
        changed = [(old, new) for old, new in self._names.items() if old != new]
        for old, _ in changed:
            key = (self.thread, old)
            self.connection.execute("DELETE FROM element WHERE (thread, digest) = (?, ?)", key)
        for old, new in changed:
            stored, refs = self._parts[old], self._refs(self._parts[old].refs)
            there = self.connection.execute(
                "SELECT part FROM element WHERE (thread, digest) = (?, ?)", (self.thread, new)
            ).fetchone()
            if there is not None:
                self._merge(new, stored)
                continue
            self.connection.execute(
                "INSERT INTO element (thread, digest, count, part) VALUES (?, ?, ?, ?)",
                (self.thread, new, stored.count, stored.key),
            )
            self.connection.execute(
                "UPDATE part SET refs = ?, payload = ? WHERE key = ?",
                (join(refs), self._payloads[new], stored.key),
            )

    def _merge(self, name: bytes, stored: _Stored) -> None:
        """Let one part stand for two that have become alike."""
        count = "UPDATE element SET count = count + ? WHERE (thread, digest) = (?, ?)"
        self.connection.execute(count, (stored.count, self.thread, name))
        for ref in self._refs(stored.refs):
            self.connection.execute(count, (-1, self.thread, ref))
        self.connection.execute("DELETE FROM part WHERE key = ?", (stored.key,))

    def _refs(self, refs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        return tuple(self._names.get(ref, ref) for ref in refs)

    def _entry(self, entry: Entry) -> Entry:
        if entry.kind != _MSGPACK:
            return entry
        payload = rewritten(entry.payload, self.mask, self._renamed)
        return Entry(entry.kind, payload, self._refs(entry.refs))

    def _checkpoints(self) -> bool:
        changed = False
        for namespace, id_, metadata, body, column in self._rows(
            "namespace, id, metadata, body, channels", "checkpoint"
        ):
            try:
                before = unpack_channels(column)
            except (ValueError, TypeError, AttributeError):  # damaged: who reads it is told
                continue
            entries: dict[str | int, Entry] = {
                name: self._entry(entry) for name, entry in before.items()
            }
            after = (rewritten(metadata, self.mask), rewritten(body, self.mask))
            if entries == before and after == (metadata, body):
                continue
            changed = True
            refs = join(ref for entry in entries.values() for ref in entry.refs)
            self.connection.execute(
                "UPDATE checkpoint SET metadata = ?, body = ?, channels = ?, refs = ? "
                "WHERE (namespace, id) = (?, ?)",
                (*after, pack_channels(entries), refs, namespace, id_),
            )
        return changed

    def _writes(self) -> bool:
        changed = False
        for *place, kind, payload, refs in self._rows(
            "namespace, checkpoint, task, idx, kind, payload, refs", "write"
        ):
            before = Entry(kind, payload, split(refs))
            after = self._entry(before)
            if after == before:
                continue
            changed = True
            self.connection.execute(
                "UPDATE write SET payload = ?, refs = ? "
                "WHERE (namespace, checkpoint, task, idx) = (?, ?, ?, ?)",
                (after.payload, join(after.refs), *place),
            )
        return changed

    def _rows(self, columns: str, table: str) -> list[Any]:
        return self.connection.execute(
            f"SELECT {columns} FROM {table} "  # noqa: S608 - constants
            "WHERE namespace IN (SELECT key FROM namespace WHERE thread = ?)",
            (self.thread,),
        ).fetchall()
