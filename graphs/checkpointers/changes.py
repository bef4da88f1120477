"""What the saver asks its writer to change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from graphs.checkpointers.chunks import Chunk, Entry


@dataclass(slots=True)
class Contents:
    """Entries by their key (a channel, or the number of a write), and the parts made for them.

    A part that an entry refers to and that is not here was stored before.
    """

    entries: Mapping[str | int, Entry]
    parts: Mapping[bytes, Chunk]


@dataclass(slots=True, kw_only=True)
class PutCheckpoint:
    """Store one checkpoint; the writer then prunes what it makes superfluous.

    Args:
        thread: the thread's id.
        namespace: "" for the graph itself, else the path of a subgraph.
        id: the checkpoint's id.
        parent: the id of the checkpoint it came from; None for the first.
        root: the checkpoint of the outermost graph a subgraph was called from; None when it is
            not known.
        metadata: serialised.
        body: the checkpoint without its channels, serialised.
        contents: the channels.
        again: makes complete contents, when a part turns out to be gone.
        needs_ancestors: True forbids pruning, because a ``DeltaChannel`` reads the ancestors.
    """

    thread: str
    namespace: str
    id: str
    parent: str | None
    root: str | None
    metadata: bytes
    body: bytes
    contents: Contents
    again: Callable[[], Contents]
    needs_ancestors: bool = False
    epoch: int | None = None


@dataclass(slots=True, kw_only=True)
class PutWrites:
    """Store what one task wrote; ``contents`` is keyed by the number of the write."""

    thread: str
    namespace: str
    checkpoint: str
    task: str
    path: str
    channels: Mapping[str | int, str] = field(default_factory=dict)
    contents: Contents
    again: Callable[[], Contents]
    epoch: int | None = None


@dataclass(slots=True)
class Take:
    """Let nobody with an earlier epoch store anything more in a thread."""

    thread: str
    epoch: int


@dataclass(slots=True)
class DeleteThread:
    """Forget a thread and everything in it."""

    thread: str


@dataclass(slots=True)
class DeleteCalls:
    """Forget the namespaces of a thread's subgraph calls; the graph's own state stays."""

    thread: str


@dataclass(slots=True)
class Rewrite:
    """Mask every text of a thread where it stands."""

    thread: str
    mask: Callable[[str], str]


Put = PutCheckpoint | PutWrites
Change = Put | Take | DeleteThread | DeleteCalls | Rewrite
