"""State taken apart: what is large or repeated is stored once per thread, under its hash.

A value is walked before it is serialised. Each full run of 32 list items, and among the rest each
message and each long text, becomes a *part*: bytes under the hash of those bytes. What is left,
an *entry*, holds references to parts. So a conversation of n messages that grows by one stores
one new part and an entry of n/32 + 32 references at most (every 32nd time one run), and the
channel, the task's write and the subgraph that passes the same messages on share them.

Everything is msgpack as LangGraph's own serializer writes it; three extension codes of ours
stand for a reference, a list cut into runs, and a ``Send`` whose argument was walked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Send
from pydantic import BaseModel

from graphs.checkpointers.runs import KnownRuns

DIGEST_BYTES = 16
RUN = 32
"""Items of a list in one part; 32 keeps a list of 1,000 at about 31 + 32 references."""
LONG_TEXT = 512
"""Characters from which a text is a part of its own."""
INLINE_BYTES = 2048
"""An entry above this becomes a part itself."""
MAX_DEPTH = 32
"""Deeper containers are left to the serializer whole."""

REFERENCE, RUNS, SEND = 100, 101, 102
_MSGPACK = "msgpack"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes stored once per thread, and the digests of the parts they refer to."""

    payload: bytes
    refs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One channel's value or one write: how to read ``payload``, and what it refers to."""

    kind: str
    payload: bytes
    refs: tuple[bytes, ...] = ()


def digest_of(payload: bytes) -> bytes:
    """Return the name of a part with these bytes."""
    return blake2b(payload, digest_size=DIGEST_BYTES).digest()


class Encoder:
    """Takes values apart; ``parts`` gathers what they refer to.

    Args:
        serde: serialises what is left of a value.
        known: runs whose parts were made before and are not made again; None makes all parts.
    """

    def __init__(self, serde: JsonPlusSerializer, known: KnownRuns | None = None) -> None:
        self.parts: dict[bytes, Chunk] = {}
        self._serde = serde
        self._known = known

    def entry(self, value: object) -> Entry:
        """Return the entry of one value."""
        refs: list[bytes] = []
        kind, payload = self._serde.dumps_typed(self._walk(value, refs, 0))
        if kind == _MSGPACK and len(payload) > INLINE_BYTES:
            digest = self._add(payload, refs)
            return Entry(kind, self._pack(ormsgpack.Ext(REFERENCE, digest)), (digest,))
        return Entry(kind, payload, tuple(refs))

    def _walk(self, value: object, refs: list[bytes], depth: int) -> object:
        if isinstance(value, str | bytes):
            return self._text(value, refs) if len(value) >= LONG_TEXT else value
        if isinstance(value, BaseModel):
            return self._part(self._pack(value), refs)
        return self._container(value, refs, depth + 1) if depth < MAX_DEPTH else value

    def _container(self, value: object, refs: list[bytes], depth: int) -> object:
        # Subclasses of these are the serializer's: it knows how to bring them back.
        if type(value) is dict:
            return {key: self._walk(item, refs, depth) for key, item in value.items()}
        if type(value) is list or type(value) is tuple:
            return self._sequence(value, refs, depth)
        if isinstance(value, Send):
            argument = self._walk(value.arg, refs, depth)
            return ormsgpack.Ext(SEND, self._pack([value.node, argument, value.timeout]))
        return value

    def _sequence(self, items: Sequence[object], refs: list[bytes], depth: int) -> object:
        if len(items) <= RUN:
            return [self._walk(item, refs, depth) for item in items]
        if isinstance(items[0], int | float):
            return items  # an embedding: the serializer writes it faster than runs would save
        full = len(items) - len(items) % RUN
        runs = [self._run(items[at : at + RUN], refs) for at in range(0, full, RUN)]
        tail = [self._walk(item, refs, depth) for item in items[full:]]
        return ormsgpack.Ext(RUNS, self._pack([runs, tail]))

    def _run(self, items: Sequence[object], refs: list[bytes]) -> ormsgpack.Ext:
        digest = self._known.digest(items) if self._known is not None else None
        if digest is None:
            payload = self._pack(items)
            digest = self._add(payload, ())
            if self._known is not None:
                self._known.remember(items, digest, len(payload))
        return _refer(digest, refs)

    def _text(self, value: str | bytes, refs: list[bytes]) -> ormsgpack.Ext:
        # The serializer writes bytes that stand alone as they are, not as msgpack.
        payload = ormsgpack.packb(value) if isinstance(value, bytes) else self._pack(value)
        return self._part(payload, refs)

    def _part(self, payload: bytes, refs: list[bytes]) -> ormsgpack.Ext:
        return _refer(self._add(payload, ()), refs)

    def _add(self, payload: bytes, refs: Sequence[bytes]) -> bytes:
        digest = digest_of(payload)
        self.parts[digest] = Chunk(payload, tuple(refs))
        return digest

    def _pack(self, value: object) -> bytes:
        return self._serde.dumps_typed(value)[1]


def _refer(digest: bytes, refs: list[bytes]) -> ormsgpack.Ext:
    refs.append(digest)
    return ormsgpack.Ext(REFERENCE, digest)


class Decoder:
    """Puts values together again.

    Args:
        serde: reads what ours does not, and decides which types may be built.
        parts: the payloads of all parts the entries reach.

    Raises:
        ValueError: from ``value``, when a part is missing or damaged.
    """

    def __init__(self, serde: JsonPlusSerializer, parts: Mapping[bytes, bytes]) -> None:
        self._serde = serde
        self._parts = parts

    def value(self, kind: str, payload: bytes) -> Any:
        """Return the value an entry was made of."""
        if kind != _MSGPACK:
            return self._serde.loads_typed((kind, payload))
        return self._unpack(payload)

    def _unpack(self, payload: bytes) -> Any:
        return ormsgpack.unpackb(
            payload, ext_hook=self._extension, option=ormsgpack.OPT_NON_STR_KEYS
        )

    def _extension(self, code: int, data: bytes) -> Any:
        if code == REFERENCE:
            return self._unpack(self._parts[data])
        if code == RUNS:
            runs, tail = self._unpack(data)
            return [*chain.from_iterable(runs), *tail]
        if code == SEND:
            node, argument, timeout = self._unpack(data)
            return Send(node, argument, timeout=timeout)
        return self._serde.loads_typed((_MSGPACK, ormsgpack.packb(ormsgpack.Ext(code, data))))
