"""Reads checkpoints back from a SQLite file, as bytes: who asked decides what may be built."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from graphs.checkpointers.channels import unpack_channels
from graphs.checkpointers.chunks import Entry, digest_of
from graphs.checkpointers.index import split
from graphs.checkpointers.statements import slices
from noctule.core.errors import StorageError


class CheckpointRef(NamedTuple):
    """Where a checkpoint stands; ``id`` None means the newest."""

    thread: str
    namespace: str
    id: str | None


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """One checkpoint with everything its entries refer to."""

    place: CheckpointRef
    parent: str | None
    metadata: bytes
    body: bytes
    channels: dict[str, Entry]
    writes: list[tuple[str, str, Entry]]
    parts: dict[bytes, bytes]


def read(connection: sqlite3.Connection, place: CheckpointRef) -> StoredCheckpoint | None:
    """Return one checkpoint; None when there is none.

    Raises:
        StorageError: its bytes are damaged, or a part of it is missing.
    """
    row = connection.execute(
        "SELECT thread.key, namespace.key, checkpoint.id, parent, metadata, body, channels "
        "FROM thread JOIN namespace ON namespace.thread = thread.key "
        "JOIN checkpoint ON checkpoint.namespace = namespace.key "
        "WHERE thread.name = ? AND namespace.name = ? AND (? IS NULL OR checkpoint.id = ?) "
        "ORDER BY seq DESC LIMIT 1",
        (place.thread, place.namespace, place.id, place.id),
    ).fetchone()
    if row is None:
        return None
    thread, namespace, id_, parent, metadata, body, column = row
    channels = _channels(column, place)
    writes = [
        (task, channel, Entry(kind, payload, split(refs)))
        for task, channel, kind, payload, refs in connection.execute(
            "SELECT task, channel, kind, payload, refs FROM write "
            "WHERE namespace = ? AND checkpoint = ? ORDER BY path, task, idx",
            (namespace, id_),
        ).fetchall()
    ]
    entries = [*channels.values(), *(entry for _, _, entry in writes)]
    return StoredCheckpoint(
        place=place._replace(id=id_),
        parent=parent,
        metadata=metadata,
        body=body,
        channels=channels,
        writes=writes,
        parts=_parts(connection, thread, entries, place),
    )


def places(
    connection: sqlite3.Connection, thread: str | None, namespace: str | None, before: str | None
) -> list[CheckpointRef]:
    """Return which checkpoints there are, newest first; None asks for any."""
    rows = connection.execute(
        "SELECT thread.name, namespace.name, checkpoint.id "
        "FROM thread JOIN namespace ON namespace.thread = thread.key "
        "JOIN checkpoint ON checkpoint.namespace = namespace.key "
        "WHERE (?1 IS NULL OR thread.name = ?1) AND (?2 IS NULL OR namespace.name = ?2) "
        "AND (?3 IS NULL OR checkpoint.id < ?3) "
        "ORDER BY thread.key, namespace.key, seq DESC",
        (thread, namespace, before),
    )
    return [CheckpointRef(*row) for row in rows]


def damaged(place: CheckpointRef, why: str) -> StorageError:
    """Return the error that says whose state cannot be read."""
    return StorageError(
        f"The stored state of session {place.thread} is damaged ({why}). "
        f"`noctule sessions cancel {place.thread}` ends it; other sessions are not affected. "
        "A copy of the data folder from before brings it back."
    )


def _channels(column: bytes, place: CheckpointRef) -> dict[str, Entry]:
    try:
        return unpack_channels(column)
    except (ValueError, TypeError, AttributeError) as error:
        raise damaged(place, "its list of channels cannot be read") from error


def _parts(
    connection: sqlite3.Connection, thread: int, entries: Iterable[Entry], place: CheckpointRef
) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    wanted = {ref for entry in entries for ref in entry.refs}
    while wanted:
        rows = _rows(connection, thread, sorted(wanted))
        for digest, _, payload in rows:
            if digest_of(payload) != digest:
                raise damaged(place, "a part of it is not what was stored")
            found[digest] = payload
        if not wanted <= found.keys():
            raise damaged(place, "a part of it is missing")
        wanted = {ref for _, refs, _ in rows for ref in split(refs)} - found.keys()
    return found


def _rows(
    connection: sqlite3.Connection, thread: int, digests: Sequence[bytes]
) -> list[tuple[bytes, bytes, bytes]]:
    rows: list[tuple[bytes, bytes, bytes]] = []
    for marks, values in slices([(thread, digest) for digest in digests]):
        rows += connection.execute(
            "SELECT digest, refs, payload FROM element JOIN part ON part.key = element.part "  # noqa: S608 - question marks
            f"WHERE (thread, digest) IN (VALUES {marks})",
            values,
        ).fetchall()
    return rows
