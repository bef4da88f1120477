"""One transaction's worth of changes, gathered so that a few statements make them all."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

from graphs.checkpointers.changes import (
    Change,
    Contents,
    DeleteCalls,
    DeleteThread,
    Put,
    PutCheckpoint,
    PutWrites,
    Rewrite,
    Take,
)
from graphs.checkpointers.channels import pack_channels
from graphs.checkpointers.index import CheckpointRow, Index, NamespaceIndex, ThreadIndex, join
from graphs.checkpointers.refcounts import Counts
from graphs.checkpointers.rewriting import ThreadRewriting
from graphs.checkpointers.statements import delete, insert
from noctule.core.errors import OurBugError, SupersededError


class Batch:
    """Applies changes to the index at once, and to the file in ``flush``.

    Args:
        connection: inside a transaction.
        index: what is stored, as of the last commit.
        keep: how many checkpoints of a namespace stay.
    """

    def __init__(self, connection: sqlite3.Connection, index: Index, keep: int) -> None:
        self._connection = connection
        self._index = index
        self._keep = keep
        self._counts = Counts(connection, index)
        self._thread_rows: list[Sequence[object]] = []
        self._namespace_rows: dict[int, Sequence[object]] = {}
        self._checkpoint_rows: dict[tuple[int, str], Sequence[object]] = {}
        self._write_rows: dict[tuple[int, str], dict[tuple[str, int], Sequence[object]]] = (
            defaultdict(dict)
        )
        self._gone_namespaces: list[Sequence[object]] = []
        self._gone_checkpoints: list[Sequence[object]] = []
        self._gone_writes: list[Sequence[object]] = []

    def apply_all(self, changes: Sequence[Change]) -> None:
        """Make all changes, in order."""
        puts = [change for change in changes if isinstance(change, PutCheckpoint | PutWrites)]
        self._look_up((put.thread, put.contents) for put in puts)
        for change in changes:
            self._apply(change)
        self._flush()

    def _apply(self, change: Change) -> None:
        match change:
            case PutCheckpoint():
                self._put_checkpoint(change)
            case PutWrites():
                self._put_writes(change)
            case Take():
                self._take(change)
            case DeleteThread():
                self._delete_thread(change.thread)
            case DeleteCalls():
                self._delete_calls(change.thread)
            case Rewrite():
                self._rewrite(change)

    # checkpoints and writes

    def _take(self, change: Take) -> None:
        thread = self._thread(change.thread)
        if thread.epoch > change.epoch:
            raise SupersededError(change.thread)
        thread.epoch = change.epoch
        self._thread_rows.append((thread.key, thread.name, thread.epoch))

    def _still_held(self, thread: ThreadIndex, epoch: int | None) -> None:
        if epoch is not None and thread.epoch > epoch:
            raise SupersededError(thread.name)

    def _put_checkpoint(self, change: PutCheckpoint) -> None:
        thread = self._thread(change.thread)
        self._still_held(thread, change.epoch)
        space = self._namespace(thread, change.namespace, change.root)
        contents = self._complete(thread, change)
        refs = tuple(ref for entry in contents.entries.values() for ref in entry.refs)
        self._counts.add(thread, refs, 1)
        before = space.checkpoints.get(change.id)
        if before is not None:
            self._counts.add(thread, before.refs, -1)
            row = CheckpointRow(before.seq, refs)
        else:
            newest = max((kept.seq for kept in space.checkpoints.values()), default=0)
            row = CheckpointRow(newest + 1, refs)
        space.checkpoints[change.id] = row
        self._checkpoint_rows[space.key, change.id] = (
            *(space.key, change.id, row.seq, change.parent, change.metadata, change.body),
            *(pack_channels(contents.entries), join(refs)),
        )
        if not change.needs_ancestors:
            self._prune(thread, space)

    def _put_writes(self, change: PutWrites) -> None:
        thread = self._thread(change.thread)
        self._still_held(thread, change.epoch)
        space = self._namespace(thread, change.namespace, None)
        contents = self._complete(thread, change)
        stored = space.writes.setdefault(change.checkpoint, {})
        for number, entry in contents.entries.items():
            key = (change.task, int(number))
            if key in stored:
                if key[1] >= 0:
                    continue  # what a task wrote once stays; interrupts and errors are replaced
                self._counts.add(thread, stored[key], -1)
            self._counts.add(thread, entry.refs, 1)
            stored[key] = entry.refs
            self._write_rows[space.key, change.checkpoint][key] = (
                *(space.key, change.checkpoint, *key, change.path, change.channels[number]),
                *(entry.kind, entry.payload, join(entry.refs)),
            )

    def _complete(self, thread: ThreadIndex, change: Put) -> Contents:
        """Return contents of which every part is stored, or will be with this batch."""
        contents = change.contents
        if not self._counts.adopt(thread, contents):
            contents = change.again()
            self._look_up([(change.thread, contents)])
            if not self._counts.adopt(thread, contents):
                raise OurBugError(
                    f"The state of session {change.thread} was taken apart incompletely and "
                    "cannot be stored; please report this."
                )
        return contents

    def _look_up(self, wanted: Iterable[tuple[str, Contents]]) -> None:
        found = ((self._index.find(name), contents) for name, contents in wanted)
        self._counts.look_up((thread, contents) for thread, contents in found if thread)

    # what there is

    def _thread(self, name: str) -> ThreadIndex:
        thread = self._index.find(name)
        if thread is None:
            thread = self._index.add(name)
            self._thread_rows.append((thread.key, name, thread.epoch))
        return thread

    def _namespace(self, thread: ThreadIndex, name: str, root: str | None) -> NamespaceIndex:
        space = thread.namespaces.get(name)
        if space is None:
            space = NamespaceIndex(self._index.new_key("namespace"), name, root)
            thread.namespaces[name] = space
        elif root in (None, space.root):
            return space
        space.root = root
        self._namespace_rows[space.key] = (space.key, thread.key, name, root)
        return space

    # pruning

    def _prune(self, thread: ThreadIndex, space: NamespaceIndex) -> None:
        if len(space.checkpoints) > self._keep:
            order = sorted(space.checkpoints, key=lambda id_: space.checkpoints[id_].seq)
            gone = order[: -self._keep]
            for id_ in gone:
                self._drop_checkpoint(thread, space, id_)
            if not space.name:
                self._drop_calls(thread, set(gone))
        oldest = min(space.checkpoints)
        for id_ in [id_ for id_ in space.writes if id_ < oldest and id_ not in space.checkpoints]:
            self._drop_writes(thread, space, id_)

    def _drop_calls(self, thread: ThreadIndex, roots: set[str]) -> None:
        # The outermost graph has gone on from these checkpoints for good, and the subgraphs that
        # were called from them have given their results to it.
        for space in list(thread.namespaces.values()):
            if space.is_call and space.root in roots:
                self._drop_namespace(thread, space)

    def _drop_checkpoint(self, thread: ThreadIndex, space: NamespaceIndex, id_: str) -> None:
        self._counts.add(thread, space.checkpoints.pop(id_).refs, -1)
        self._checkpoint_rows.pop((space.key, id_), None)
        self._gone_checkpoints.append((space.key, id_))
        self._drop_writes(thread, space, id_)

    def _drop_writes(self, thread: ThreadIndex, space: NamespaceIndex, checkpoint: str) -> None:
        for refs in space.writes.pop(checkpoint, {}).values():
            self._counts.add(thread, refs, -1)
        self._write_rows.pop((space.key, checkpoint), None)
        self._gone_writes.append((space.key, checkpoint))

    def _drop_namespace(self, thread: ThreadIndex, space: NamespaceIndex) -> None:
        for id_ in list(space.checkpoints):
            self._drop_checkpoint(thread, space, id_)
        for id_ in list(space.writes):
            self._drop_writes(thread, space, id_)
        del thread.namespaces[space.name]
        self._namespace_rows.pop(space.key, None)
        self._gone_namespaces.append((space.key,))

    # deleting

    def _delete_calls(self, name: str) -> None:
        thread = self._index.find(name)
        for space in list(thread.namespaces.values()) if thread else ():
            if space.is_call:
                self._drop_namespace(thread, space)  # type: ignore[arg-type]  # the loop is empty without a thread

    def _delete_thread(self, name: str) -> None:
        self._flush()
        thread = self._index.find(name)
        if thread is None:
            return
        self._index.forget(name)
        inside = "(SELECT key FROM namespace WHERE thread = ?)"
        for statement in (
            f"DELETE FROM checkpoint WHERE namespace IN {inside}",  # noqa: S608 - a constant
            f"DELETE FROM write WHERE namespace IN {inside}",  # noqa: S608 - a constant
            "DELETE FROM namespace WHERE thread = ?",
            "DELETE FROM part WHERE key IN (SELECT part FROM element WHERE thread = ?)",
            "DELETE FROM element WHERE thread = ?",
            "DELETE FROM thread WHERE key = ?",
        ):
            self._connection.execute(statement, (thread.key,))

    # rewriting

    def _rewrite(self, change: Rewrite) -> None:
        self._flush()
        thread = self._index.find(change.thread)
        if thread is not None and ThreadRewriting(self._connection, thread.key, change.mask).run():
            self._index.forget(change.thread)  # its parts have other names

    # the file

    def _flush(self) -> None:
        run = self._connection.execute
        for table, columns, keys in (
            ("namespace", ("key",), self._gone_namespaces),
            ("checkpoint", ("namespace", "id"), self._gone_checkpoints),
            ("write", ("namespace", "checkpoint"), self._gone_writes),
        ):
            delete(run, table, columns, keys)
            keys.clear()
        writes = [row for rows in self._write_rows.values() for row in rows.values()]
        insert(run, "thread", self._thread_rows)
        insert(run, "namespace", list(self._namespace_rows.values()))
        insert(run, "checkpoint", list(self._checkpoint_rows.values()))
        insert(run, "write", writes)
        self._thread_rows.clear()
        for rows in (self._namespace_rows, self._checkpoint_rows, self._write_rows):
            rows.clear()
        self._counts.flush()
