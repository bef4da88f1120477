"""LangGraph checkpoints in PostgreSQL: LangGraph's own tables, with growth bounded.

What is ours: old checkpoints are pruned in the transaction that stores a new one; sessions do
not wait for one another (LangGraph's saver holds one lock whatever its pool); nothing runs in
the event loop's default executor, which ``DBOS.destroy`` shuts down before the graphs are
drained; checkpoints are ordered as they were stored, so that a clock that was set back cannot
bring an old state back; and text stays out of JSONB, which takes no NUL character.

A list channel is stored whole when it changes, as LangGraph does; content addressing as on
SQLite would save PostgreSQL's write-ahead log, not its tables.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self, TypeVar, cast

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolClosed

from graphs.checkpointers.epochs import epoch_of
from graphs.checkpointers.rewriting import rewritten
from noctule.core.errors import (
    NoctuleError,
    StorageError,
    StorageUnavailableError,
    SupersededError,
    UsageError,
)
from noctule.core.workers.connections import CONNECTION, SERVER_SIDE
from noctule.core.workers.patience import Patience

T = TypeVar("T")

_PASSING = ("08", "25", "28", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that say nothing about what was to be stored: connections, read-only
servers, logins, conflicts, resources, locks, an operator's hand, the server's machine
(postgresql.org/docs/current/errcodes-appendix.html, checked 2026-11)."""

# Shared, and held to the commit: whoever takes the session waits for it, or came before.
_HELD = (
    "SELECT 1 AS held FROM noctule.session_tenures WHERE session_id = %s AND epoch = %s FOR SHARE"
)

KEEP = 2
"""Checkpoints kept of a namespace: the newest, from which a graph goes on, and its parent."""
MAX_CONNECTIONS = 8
CONNECT_SECONDS = 30.0
POOL_SECONDS = 10.0
"""How long a step waits for a connection before storage counts as away."""

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SETUP_LOCK = 0x6E6F6374756C65  # "noctule": any number, as long as all its processes use it

_ORDER = "ALTER TABLE checkpoints ADD COLUMN IF NOT EXISTS seq BIGSERIAL"

# The last row is always kept: with a clock set back its id is not the greatest.
_PRUNE = """
WITH kept AS (
    SELECT checkpoint_id, seq, checkpoint -> 'channel_versions' AS versions FROM checkpoints
    WHERE thread_id = %(thread)s AND checkpoint_ns = %(space)s
    ORDER BY seq DESC LIMIT %(keep)s
), checkpoints_gone AS (
    DELETE FROM checkpoints
    WHERE thread_id = %(thread)s AND checkpoint_ns = %(space)s
    AND seq < (SELECT min(seq) FROM kept)
), writes_gone AS (
    DELETE FROM checkpoint_writes
    WHERE thread_id = %(thread)s AND checkpoint_ns = %(space)s
    AND checkpoint_id < (SELECT min(checkpoint_id) FROM kept)
)
DELETE FROM checkpoint_blobs AS blob
WHERE thread_id = %(thread)s AND checkpoint_ns = %(space)s
AND NOT EXISTS (SELECT 1 FROM kept WHERE kept.versions ->> blob.channel = blob.version)
"""

_HOLDING_BLOBS = {
    "checkpoint_blobs": "checkpoint_ns, channel, version",
    "checkpoint_writes": "checkpoint_ns, checkpoint_id, task_id, idx",
}
"""Tables of serialised values, and what tells their rows of one thread apart."""

_CALLS = "SELECT DISTINCT checkpoint_ns FROM checkpoints WHERE thread_id = %(thread)s"
_OLD_CALLS = f"""{_CALLS} AND checkpoint_ns LIKE '%%:%%'
AND metadata -> 'parents' ->> '' < (
    SELECT min(checkpoint_id) FROM checkpoints
    WHERE thread_id = %(thread)s AND checkpoint_ns = ''
)"""  # noqa: S608 - constants
_ALL_CALLS = f"{_CALLS} AND checkpoint_ns LIKE '%%:%%'"


def _delete_calls(calls: str) -> str:
    return f"""
WITH calls AS ({calls}), writes_gone AS (
    DELETE FROM checkpoint_writes WHERE thread_id = %(thread)s
    AND checkpoint_ns IN (SELECT checkpoint_ns FROM calls)
), blobs_gone AS (
    DELETE FROM checkpoint_blobs WHERE thread_id = %(thread)s
    AND checkpoint_ns IN (SELECT checkpoint_ns FROM calls)
)
DELETE FROM checkpoints WHERE thread_id = %(thread)s
AND checkpoint_ns IN (SELECT checkpoint_ns FROM calls)
"""  # noqa: S608 - constants


class PostgresSaver(AsyncPostgresSaver):
    """Checkpoints of many workers in one database; made by ``open``."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[DictRow]],
        keep: int,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(pool, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._pool = pool
        self._patience = patience
        self._keep = keep

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        schema: str = "checkpoints",
        keep: int = KEEP,
        patience: Patience | None = None,
    ) -> AsyncIterator[Self]:
        """Connect, make the tables when they are missing, and disconnect at the end.

        Args:
            url: ``postgresql://user@host/database``.
            schema: where the tables are; made when it does not exist.
            keep: how many checkpoints of a namespace to keep, at least 1.
            patience: waits for a server that does not answer; None raises why not.

        Raises:
            UsageError: the schema's name has other characters than a-z, 0-9 and _.
            StorageError: the server cannot be reached within 30 seconds.
        """
        if not _SCHEMA_NAME.fullmatch(schema):
            raise UsageError(
                f"{schema!r} cannot name a PostgreSQL schema here: use a-z, 0-9 and _ only."
            )
        pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
            url.replace("postgresql+psycopg://", "postgresql://", 1),
            min_size=1,
            max_size=MAX_CONNECTIONS,
            open=False,
            # Given up soon and begun anew by whoever asks next: the pool's own pauses grow with
            # the outage, and would outlast it.
            timeout=POOL_SECONDS,
            reconnect_timeout=POOL_SECONDS,
            check=AsyncConnectionPool.check_connection,
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                "row_factory": dict_row,
                **CONNECTION,
                "options": f"{SERVER_SIDE} -c search_path={schema}",
            },
        )
        try:
            with _sentences():
                await pool.open(wait=True, timeout=CONNECT_SECONDS)
            saver = cls(pool, max(1, keep), patience)
            await saver._make_tables(schema)
            yield saver
        finally:
            await pool.close()

    async def setup(self) -> None:
        """Do nothing: ``open`` has made the tables."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint, the newest of its namespace when the config names none.

        Raises:
            StorageError: the server cannot be reached.
        """
        asked = config["configurable"]
        values = [str(asked["thread_id"]), asked.get("checkpoint_ns", "")]
        where = "WHERE thread_id = %s AND checkpoint_ns = %s "
        if id_ := get_checkpoint_id(config):
            where += "AND checkpoint_id = %s"
            values.append(id_)
        else:
            where += "ORDER BY seq DESC LIMIT 1"
        row = await self._patiently(lambda: self._row(where, values))
        return None if row is None else await self._load_checkpoint_tuple(row)

    async def _row(self, where: str, values: Sequence[str]) -> DictRow | None:
        async with self._cursor() as cursor:
            await cursor.execute(self.SELECT_SQL + where, values, binary=True)
            return await cursor.fetchone()

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and prune what it makes superfluous, in one transaction.

        Raises:
            StorageError: the server cannot be reached or refuses.
        """
        asked = config["configurable"]
        thread, space = str(asked["thread_id"]), asked.get("checkpoint_ns", "")
        inline, large = _split(checkpoint["channel_values"])
        versions = {name: v for name, v in new_versions.items() if name in large}
        blobs = self._dump_blobs(thread, space, large, versions)
        row = (
            *(thread, space, checkpoint["id"], get_checkpoint_id(config)),
            Jsonb({**checkpoint, "channel_values": inline}),
            Jsonb(get_serializable_checkpoint_metadata(config, metadata)),
        )
        # A DeltaChannel reads the ancestors up to its last snapshot.
        prunes = "counters_since_delta_snapshot" not in metadata

        async def put() -> None:
            async with self._cursor(pipeline=True) as cursor:
                if blobs:
                    await cursor.executemany(self.UPSERT_CHECKPOINT_BLOBS_SQL, blobs)
                await cursor.execute(self.UPSERT_CHECKPOINTS_SQL, row)
                if prunes:
                    await self._prune(cursor, thread, space)
                await _check(cursor, thread, epoch_of(config))

        await self._patiently(put)
        return {
            "configurable": {
                "thread_id": thread,
                "checkpoint_ns": space,
                "checkpoint_id": checkpoint["id"],
            }
        }

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what one task wrote.

        Raises:
            StorageError: the server cannot be reached or refuses.
        """
        asked = config["configurable"]
        rows = self._dump_writes(
            *(str(asked["thread_id"]), asked.get("checkpoint_ns", ""), asked["checkpoint_id"]),
            *(task_id, task_path, writes),
        )
        replaced = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        statement = (
            self.UPSERT_CHECKPOINT_WRITES_SQL if replaced else self.INSERT_CHECKPOINT_WRITES_SQL
        )

        async def put() -> None:
            async with self._cursor(pipeline=True) as cursor:
                await cursor.executemany(statement, rows)
                await _check(cursor, str(asked["thread_id"]), epoch_of(config))

        await self._patiently(put)

    async def atake(self, thread_id: str, epoch: int) -> None:
        """Do nothing: who has a session stands in the same database, and is read there."""

    async def adelete_namespaces(self, thread_id: str) -> None:
        """Forget the subgraph calls of a thread, when its turn is over; its state stays.

        Calling it while a subgraph is interrupted drops what the subgraph did so far.

        Raises:
            StorageError: the server cannot be reached or refuses.
        """

        async def delete() -> None:
            async with self._cursor() as cursor:
                await cursor.execute(_delete_calls(_ALL_CALLS), {"thread": str(thread_id)})

        await self._patiently(delete)

    async def arewrite(self, thread_id: str, mask: Callable[[str], str]) -> None:
        """Replace texts in everything stored of a thread, which nobody may be running.

        Args:
            thread_id: which; one of which nothing is stored stays so.
            mask: returns a text as it is to stand there.

        Raises:
            StorageError: the server cannot be reached or refuses.
        """

        async def rewrite() -> None:
            async with self._cursor() as cursor, cursor.connection.transaction():
                for table, places in _HOLDING_BLOBS.items():
                    await _rewrite_blobs(cursor, table, places, str(thread_id), mask)
                await _rewrite_documents(cursor, str(thread_id), mask)

        await self._patiently(rewrite)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        return await (work() if self._patience is None else self._patience.keep_trying(work))

    async def _prune(self, cursor: AsyncCursor[DictRow], thread: str, space: str) -> None:
        names = {"thread": thread, "space": space, "keep": self._keep}
        await cursor.execute(_PRUNE, names)
        if not space:
            await cursor.execute(_delete_calls(_OLD_CALLS), {"thread": thread})

    async def _make_tables(self, schema: str) -> None:
        # LangGraph's setup builds indexes CONCURRENTLY, which forbids a transaction, and two
        # workers that start together would then make the tables twice.
        async with self._cursor(pipeline=False) as cursor, cursor.connection.transaction():
            await cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_SETUP_LOCK,))
            await cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            await cursor.execute(self.MIGRATIONS[0])
            await cursor.execute(
                "SELECT coalesce(max(v), -1) + 1 AS next FROM checkpoint_migrations"
            )
            row = await cursor.fetchone()
            for version in range(row["next"] if row else 0, len(self.MIGRATIONS)):
                await cursor.execute(self.MIGRATIONS[version].replace("CONCURRENTLY", ""))
                await cursor.execute("INSERT INTO checkpoint_migrations VALUES (%s)", (version,))
            await cursor.execute(_ORDER)

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        """Give a cursor of a connection of one's own; a pipeline is one transaction."""
        with _sentences():
            async with self._pool.connection() as connection:
                if pipeline:
                    async with (
                        connection.pipeline(),
                        connection.transaction(),
                        connection.cursor(binary=True) as cursor,
                    ):
                        yield cursor
                else:
                    async with connection.cursor(binary=True) as cursor:
                        yield cursor

    async def _load_checkpoint_tuple(self, value: DictRow) -> CheckpointTuple:
        place = {"thread_id": value["thread_id"], "checkpoint_ns": value["checkpoint_ns"]}
        parent = value["parent_checkpoint_id"]
        stored = value["checkpoint"]
        values = {
            **(stored.get("channel_values") or {}),
            **self._load_blobs(value["channel_values"]),
        }
        return CheckpointTuple(
            {"configurable": {**place, "checkpoint_id": value["checkpoint_id"]}},
            cast("Checkpoint", {**stored, "channel_values": values}),
            value["metadata"],
            {"configurable": {**place, "checkpoint_id": parent}} if parent else None,
            self._load_writes(value["pending_writes"]),
        )


async def _rewrite_blobs(
    cursor: AsyncCursor[DictRow], table: str, places: str, thread: str, mask: Callable[[str], str]
) -> None:
    await cursor.execute(
        f"SELECT {places}, blob FROM {table} WHERE thread_id = %s AND blob IS NOT NULL "  # noqa: S608 - constants
        "FOR UPDATE",
        (thread,),
    )
    for row in await cursor.fetchall():
        blob = bytes(row.pop("blob"))
        after = rewritten(blob, mask)
        if after != blob:
            where = " AND ".join(f"{name} = %s" for name in row)
            statement = f"UPDATE {table} SET blob = %s WHERE thread_id = %s AND {where}"  # noqa: S608 - constants
            await cursor.execute(statement, (after, thread, *row.values()))


async def _rewrite_documents(
    cursor: AsyncCursor[DictRow], thread: str, mask: Callable[[str], str]
) -> None:
    await cursor.execute(
        "SELECT checkpoint_ns, checkpoint_id, checkpoint, metadata FROM checkpoints "
        "WHERE thread_id = %s FOR UPDATE",
        (thread,),
    )
    for row in await cursor.fetchall():
        before = (row["checkpoint"], row["metadata"])
        after = tuple(_masked(value, mask) for value in before)
        if after != before:
            await cursor.execute(
                "UPDATE checkpoints SET checkpoint = %s, metadata = %s "
                "WHERE thread_id = %s AND checkpoint_ns = %s AND checkpoint_id = %s",
                (*map(Jsonb, after), thread, row["checkpoint_ns"], row["checkpoint_id"]),
            )


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: _masked(inner, mask) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, mask) for inner in value]
    return value


async def _check(cursor: AsyncCursor[DictRow], thread: str, epoch: int | None) -> None:
    """Make sure that the session is held under an epoch until the end of the transaction.

    Raises:
        SupersededError: another worker has taken it.
    """
    if epoch is None:
        return
    await cursor.execute(_HELD, (thread, epoch))
    if await cursor.fetchone() is None:
        raise SupersededError(thread)


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what stands in the checkpoint's own JSON, and what becomes a blob."""
    inline = {name: value for name, value in values.items() if _is_inline(value)}
    large = {name: value for name, value in values.items() if name not in inline}
    for name, value in large.items():
        if isinstance(value, _DeltaSnapshot):
            inline[name] = True  # LangGraph's mark that the blob is a snapshot
    return inline, large


def _is_inline(value: object) -> bool:
    return value is None or isinstance(value, bool | int)


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise _explain(error) from error


def _explain(error: psycopg.Error) -> NoctuleError:
    what = f"PostgreSQL could not keep or return the state of a session ({error})."
    passing = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    passing = passing and not isinstance(error, PoolClosed)
    if passing or (error.sqlstate or "").startswith(_PASSING):
        return StorageUnavailableError(
            f"{what} See that the server of `storage.url` runs, takes writes and has space."
        )
    return StorageError(f"{what} `noctule doctor` looks after it.")
