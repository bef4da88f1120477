"""A checkpoint's channels as one column holds them."""

from collections.abc import Mapping

import ormsgpack

from graphs.checkpointers.chunks import Entry
from graphs.checkpointers.index import join, split


def pack_channels(entries: Mapping[str | int, Entry]) -> bytes:
    """Return the entries of a checkpoint as bytes."""
    return ormsgpack.packb(
        {name: (entry.kind, entry.payload, join(entry.refs)) for name, entry in entries.items()}
    )


def unpack_channels(column: bytes) -> dict[str, Entry]:
    """Return the entries of a checkpoint by channel.

    Raises:
        ValueError: the bytes are damaged.
    """
    return {
        name: Entry(kind, payload, split(refs))
        for name, (kind, payload, refs) in ormsgpack.unpackb(column).items()
    }
