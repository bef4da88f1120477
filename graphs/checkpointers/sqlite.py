"""LangGraph checkpoints in a SQLite file, for a worker with many sessions."""

import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from graphs.checkpointers.changes import (
    Contents,
    DeleteCalls,
    DeleteThread,
    PutCheckpoint,
    PutWrites,
    Rewrite,
    Take,
)
from graphs.checkpointers.chunks import Decoder, Encoder, Entry
from graphs.checkpointers.epochs import epoch_of
from graphs.checkpointers.reader import CheckpointRef, StoredCheckpoint, damaged, places, read
from graphs.checkpointers.runs import KnownRuns
from graphs.checkpointers.writer import CheckpointWriter
from noctule.core.base.private_files import keep_private
from noctule.core.errors import OurBugError
from noctule.core.workers.patience import Patience

T = TypeVar("T")

KEEP = 2
"""Checkpoints kept of a namespace: the newest, from which a graph goes on, and its parent."""
REMEMBERED = 4096
"""Namespaces whose stored channels are remembered; small, as they hold references only."""


class _Version(NamedTuple):
    version: object
    entry: Entry


class SqliteSaver(BaseCheckpointSaver[str]):
    """Checkpoints whose cost does not grow with the conversation; made by ``open``.

    Differs from LangGraph's own in what it stores (a channel when its version changed, and of
    that only the parts that are new), in committing the steps of all sessions together, in
    keeping the newest two checkpoints of a namespace only, and in ordering checkpoints as they
    were stored, so that a clock that was set back cannot bring an old state back.

    Types are restored as far as the graph's state schema names them; others come back as
    plain data.
    """

    def __init__(self, writer: CheckpointWriter, patience: Patience | None = None) -> None:
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._writer = writer
        self._patience = patience
        self._runs = KnownRuns()
        self._stored: OrderedDict[tuple[str, str], dict[str, _Version]] = OrderedDict()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, keep: int = KEEP, patience: Patience | None = None
    ) -> AsyncIterator[Self]:
        """Open a checkpoint file; at the end, what was asked for is finished and it is closed.

        Args:
            path: made when it does not exist; its folder must exist.
            keep: how many checkpoints of a namespace to keep, at least 1.
            patience: waits for a file that cannot be used; None raises why not.

        Raises:
            DatabaseTooNewError: a newer Noctule wrote the file.
            DatabaseBusyError: another process held it for 30 seconds.
            StorageError: it cannot be opened.
        """
        with suppress(OSError):  # opening it says what is wrong
            keep_private(path)
        writer = CheckpointWriter(path, max(1, keep))
        await writer.open()
        try:
            yield cls(writer, patience)
        finally:
            await writer.close()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint, the newest of its namespace when the config names none.

        Raises:
            StorageError: it is damaged.
        """
        place = _place(config)
        stored = await self._patiently(
            lambda: self._writer.read(lambda connection: read(connection, place))
        )
        if stored is None:
            return None
        found = self._load(stored)
        if place.id is None:
            versions = found.checkpoint["channel_versions"]
            self._remember(
                place,
                {
                    name: _Version(versions.get(name), entry)
                    for name, entry in stored.channels.items()
                },
            )
        return found

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield the checkpoints that are kept, newest first in each namespace.

        Args:
            config: thread, namespace and checkpoint to look for; None means all threads.
            filter: metadata that must be equal; None means any.
            before: only checkpoints older than this one's id.
            limit: at most so many; None means all, 0 none.
        """
        asked = config["configurable"] if config else {}
        thread = str(asked["thread_id"]) if config else None
        namespace, id_ = asked.get("checkpoint_ns"), asked.get("checkpoint_id")
        earlier = get_checkpoint_id(before) if before else None
        found = await self._writer.read(lambda c: places(c, thread, namespace, earlier))
        left = len(found) if limit is None else limit
        for place in found:
            if left <= 0:
                return
            if id_ and place.id != id_:
                continue
            stored = await self._writer.read(lambda c, place=place: read(c, place))  # type: ignore[misc]  # mypy cannot type a default
            if stored is None:
                continue  # pruned meanwhile
            loaded = self._load(stored)
            if filter and any(loaded.metadata.get(k) != v for k, v in filter.items()):
                continue
            left -= 1
            yield loaded

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, durably, and prune what it makes superfluous.

        Raises:
            DatabaseBusyError: another process held the file for 30 seconds.
            StorageError: the disk is full, or the file damaged.
        """
        parent = _place(config)
        place = parent._replace(id=checkpoint["id"])
        values, versions = checkpoint["channel_values"], checkpoint["channel_versions"]
        body = {name: value for name, value in checkpoint.items() if name != "channel_values"}
        change = PutCheckpoint(
            thread=place.thread,
            namespace=place.namespace,
            id=checkpoint["id"],
            parent=parent.id,
            root=(metadata.get("parents") or {}).get("") if place.namespace else None,
            metadata=self.serde.dumps_typed(get_checkpoint_metadata(config, metadata))[1],
            body=self.serde.dumps_typed(body)[1],
            contents=self._contents(place, values, versions),
            again=lambda: self._encode(values),
            needs_ancestors="counters_since_delta_snapshot" in metadata,
            epoch=epoch_of(config),
        )
        await self._patiently(lambda: self._writer.write(change))
        return _config(place)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what one task wrote, durably.

        Raises:
            DatabaseBusyError: another process held the file for 30 seconds.
            StorageError: the disk is full, or the file damaged.
        """
        place = _place(config)
        numbered = {
            WRITES_IDX_MAP.get(channel, number): (channel, value)
            for number, (channel, value) in enumerate(writes)
        }
        values = {number: value for number, (_, value) in numbered.items()}
        change = PutWrites(
            thread=place.thread,
            namespace=place.namespace,
            checkpoint=place.id or "",
            task=task_id,
            path=task_path,
            channels={number: channel for number, (channel, _) in numbered.items()},
            contents=self._encode(values),
            again=lambda: self._encode(values),
            epoch=epoch_of(config),
        )
        await self._patiently(lambda: self._writer.write_soon(change))

    async def atake(self, thread_id: str, epoch: int) -> None:
        """Let nobody with an earlier epoch store another step of a thread.

        Raises:
            SupersededError: somebody has taken it under a later one.
        """
        await self._patiently(lambda: self._writer.write(Take(str(thread_id), epoch)))

    async def adelete_thread(self, thread_id: str) -> None:
        """Forget everything of a thread."""
        for key in [key for key in self._stored if key[0] == str(thread_id)]:
            del self._stored[key]
        await self._writer.write(DeleteThread(str(thread_id)))

    async def adelete_namespaces(self, thread_id: str) -> None:
        """Forget the subgraph calls of a thread, when its turn is over; its state stays.

        Calling it while a subgraph is interrupted drops what the subgraph did so far.
        """
        await self._patiently(lambda: self._writer.write(DeleteCalls(str(thread_id))))

    async def arewrite(self, thread_id: str, mask: Callable[[str], str]) -> None:
        """Replace texts in everything stored of a thread, which nobody may be running.

        Args:
            thread_id: which; one of which nothing is stored stays so.
            mask: returns a text as it is to stand there.
        """
        for key in [key for key in self._stored if key[0] == str(thread_id)]:
            del self._stored[key]
        await self._patiently(lambda: self._writer.write(Rewrite(str(thread_id), mask)))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        return await (work() if self._patience is None else self._patience.keep_trying(work))

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Return a version that sorts after the current one and that no fork gives out too."""
        number = 0 if current is None else int(current.split(".")[0])
        return f"{number + 1:012}.{random.getrandbits(32):08x}"

    # taking apart and putting together

    def _contents(
        self, place: CheckpointRef, values: Mapping[str, Any], versions: ChannelVersions
    ) -> Contents:
        """Return the entries of all channels, making only those whose version is new."""
        known = self._stored.get(place[:2], {})
        encoder = Encoder(cast("JsonPlusSerializer", self.serde), self._runs)
        stored: dict[str, _Version] = {}
        for name, value in values.items():
            version = versions.get(name)
            before = known.get(name)
            if before is None or version is None or before.version != version:
                before = _Version(version, self._entry(encoder, name, value))
            stored[name] = before
        self._remember(place, stored)
        return Contents({name: kept.entry for name, kept in stored.items()}, encoder.parts)

    def _encode(self, values: Mapping[Any, Any]) -> Contents:
        encoder = Encoder(cast("JsonPlusSerializer", self.serde))
        entries = {key: self._entry(encoder, key, value) for key, value in values.items()}
        return Contents(entries, encoder.parts)

    @staticmethod
    def _entry(encoder: Encoder, key: object, value: object) -> Entry:
        try:
            return encoder.entry(value)
        except (TypeError, ValueError) as error:
            raise OurBugError(
                f"{key} holds a {type(value).__name__} that cannot be stored ({error}); "
                "please report this."
            ) from error

    def _remember(self, place: CheckpointRef, stored: dict[str, _Version]) -> None:
        self._stored[place[:2]] = stored
        self._stored.move_to_end(place[:2])
        if len(self._stored) > REMEMBERED:
            self._stored.popitem(last=False)

    def _load(self, stored: StoredCheckpoint) -> CheckpointTuple:
        decoder = Decoder(cast("JsonPlusSerializer", self.serde), stored.parts)
        try:
            return self._build(stored, decoder)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(stored.place, "its bytes cannot be read") from error

    def _build(self, stored: StoredCheckpoint, decoder: Decoder) -> CheckpointTuple:
        body = self.serde.loads_typed(("msgpack", stored.body))
        values = {
            name: decoder.value(entry.kind, entry.payload)
            for name, entry in stored.channels.items()
        }
        parent = stored.place._replace(id=stored.parent) if stored.parent else None
        return CheckpointTuple(
            config=_config(stored.place),
            checkpoint=cast("Checkpoint", {**body, "channel_values": values}),
            metadata=self.serde.loads_typed(("msgpack", stored.metadata)),
            parent_config=_config(parent) if parent else None,
            pending_writes=[
                (task, channel, decoder.value(entry.kind, entry.payload))
                for task, channel, entry in stored.writes
            ],
        )

    # the half of the interface that would block the event loop

    get_tuple = list = put = put_writes = delete_thread = cast(
        "Callable[..., Any]", lambda *_args, **_kwargs: _refuse()
    )


def _refuse() -> None:
    raise NotImplementedError(
        "Noctule's savers are asynchronous only: use ainvoke, astream and aget_state."
    )


def _place(config: RunnableConfig) -> CheckpointRef:
    asked = config["configurable"]
    return CheckpointRef(
        str(asked["thread_id"]), asked.get("checkpoint_ns", ""), get_checkpoint_id(config)
    )


def _config(place: CheckpointRef) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": place.thread,
            "checkpoint_ns": place.namespace,
            "checkpoint_id": place.id,
        }
    }
