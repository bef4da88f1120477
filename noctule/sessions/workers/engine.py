"""DBOS as queue and timer: the one module that knows it.

The engine says when a turn is worth advancing, nothing else: what happened is in the checkpoint,
what people see is in the turn row. A drive is named after its turn and the reason it is due, so
that whoever enqueues it (a scan, a park, the drive before it, another worker) makes it once.

DBOS is one per process: the workflow is registered when this module is imported, ``launch`` binds
it to a worker inside the running event loop, ``close`` undoes that.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    SetEnqueueOptions,
    SetWorkflowID,
)

from noctule.core.base.private_files import keep_private
from noctule.core.clock import Clock
from noctule.core.errors import OurBugError, StorageUnavailableError
from noctule.core.workers.patience import Patience
from noctule.sessions.workers import sqlite_compat as subsec
from noctule.sessions.workers.engine_noise import EngineNoise

_NAME = "noctule"
_VERSION = "1"
"""Of the stored workflow's form, pinned: DBOS would skip what another source hash left behind."""

_QUEUE = "drives"
_POLL_SECONDS = 0.7
"""How often DBOS looks into the queue; each look costs about 3 ms of CPU."""

_KEEP = timedelta(hours=1)
_CLOSE_GRACE_SECONDS = 5.0
_CLOSE_LOOK_SECONDS = 0.02
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class DriveTask:
    """One call of ``advance`` to come.

    Args:
        turn_id: whose.
        why: what makes it due; together with the turn it names the drive, which exists once.
        at: when; None means at once.
    """

    turn_id: str
    why: str
    at: datetime | None = None

    @property
    def id(self) -> str:
        """The workflow's id."""
        return f"{self.turn_id}@{self.why}"


Advance = Callable[[str], Awaitable[Sequence[DriveTask]]]
"""Carries a turn as far as it goes now and returns the drives that follow; never raises."""


class _Bound:
    """What the registered workflow calls: the worker of this process, while there is one."""

    advance: Advance | None = None
    engine: "Engine | None" = None
    running: ClassVar[set[str]] = set()


@DBOS.step(name="advance")
async def _advance(turn_id: str) -> list[dict[str, str | None]]:
    if _Bound.advance is None:
        return []  # closing: the next start finds the turn by its row
    return [
        {
            "turn_id": drive.turn_id,
            "why": drive.why,
            "at": drive.at.isoformat() if drive.at else None,
        }
        for drive in await _Bound.advance(turn_id)
    ]


@DBOS.workflow(name="drive", max_recovery_attempts=10_000)
async def _drive(turn_id: str) -> None:
    drive_id = str(DBOS.workflow_id)
    _Bound.running.add(drive_id)
    try:
        for following in await _advance(turn_id):
            at = following["at"]
            drive = DriveTask(
                str(following["turn_id"]),
                str(following["why"]),
                datetime.fromisoformat(at) if at else None,
            )
            if _Bound.engine is not None:
                await _Bound.engine.enqueue(drive)
    finally:
        _Bound.running.discard(drive_id)


class Engine:
    """A durable queue with a durable timer.

    Args:
        url: ``sqlite`` or ``postgresql://…``, as in ``storage.url``.
        home: the data folder; ``engine.db`` lies there on SQLite.
        executor: names this process among workers on one PostgreSQL; fixed on SQLite.
        most_turns: how many turns may be advanced at once.
        clock: the time.
        patience: whether people know that storage is away.
    """

    def __init__(
        self,
        *,
        url: str,
        home: Path,
        executor: str,
        most_turns: int,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self._noise = EngineNoise(patience, clock)
        self._url = url
        self._home = home
        self._executor = executor
        self._most_turns = most_turns
        self._clock = clock

    async def launch(self, advance: Advance) -> None:
        """Start to drive; must be called on the loop that runs the graphs.

        Args:
            advance: carries one turn.

        Raises:
            OurBugError: this process drives already.
        """
        if _Bound.advance is not None:
            raise OurBugError("Two engines in one process; please report this.")
        _quiet(self._noise)
        config: DBOSConfig = {
            "name": _NAME,
            "system_database_url": self._system_url(),
            "application_version": _VERSION,
            "executor_id": self._executor,
            "serializer": DBOSPortableJSONSerializer(),
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        if self._is_postgres:
            config["dbos_system_schema"] = "noctule_engine"
        elif subsec.is_missing():
            kind = subsec.connection_type(self._clock)
            config["db_engine_kwargs"] = {"connect_args": {"factory": kind}}
        _Bound.advance, _Bound.engine = advance, self
        DBOS(config=config)
        DBOS.launch()
        await DBOS.register_queue_async(
            _QUEUE, worker_concurrency=self._most_turns, polling_interval_sec=_POLL_SECONDS
        )

    async def enqueue(self, drive: DriveTask) -> None:
        """Have a turn advanced when it is due; does nothing when that drive exists already.

        What is due now begins at once while there is a free place; else it waits in the queue.

        Raises:
            StorageUnavailableError: the engine's database refused.
        """
        delay = 0.0
        if drive.at is not None:
            delay = max(0.0, (drive.at - self._clock.now()).total_seconds())
        with self._explained(), SetWorkflowID(drive.id):
            if not delay and len(_Bound.running) < self._most_turns:
                await DBOS.start_workflow_async(_drive, drive.turn_id)
                return
            with SetEnqueueOptions(delay_seconds=delay or None):
                await DBOS.enqueue_workflow_async(_QUEUE, _drive, drive.turn_id)

    async def coming(self, drive_ids: Sequence[str]) -> set[str]:
        """Return which of some drives still wait for their time or place, or run in this process.

        The others are over, lost with another process, or were never made.

        Raises:
            StorageUnavailableError: the engine's database refused.
        """
        found: set[str] = set()
        for start in range(0, len(drive_ids), _AT_ONCE):
            with self._explained():
                rows = await DBOS.list_workflows_async(
                    workflow_ids=list(drive_ids[start : start + _AT_ONCE]),
                    status=["ENQUEUED", "DELAYED", "PENDING"],
                    load_input=False,
                    load_output=False,
                )
            found.update(
                row.workflow_id
                for row in rows
                # A row may also say that one runs which ended without being able to store it.
                if row.status != "PENDING" or row.workflow_id in _Bound.running
            )
        return found

    async def forget_finished(self) -> int:
        """Delete finished drives older than an hour; return how many.

        Raises:
            StorageUnavailableError: the engine's database refused.
        """
        before = (self._clock.now() - _KEEP).isoformat()
        with self._explained():
            finished = await DBOS.list_workflows_async(
                status=["SUCCESS", "ERROR", "CANCELLED"],
                completed_before=before,
                limit=1000,
                load_input=False,
                load_output=False,
            )
            if finished:
                await DBOS.delete_workflows_async([workflow.workflow_id for workflow in finished])
        return len(finished)

    async def close(self) -> None:
        """Stop dequeuing and let go of the database.

        ``DBOS.destroy`` blocks and shuts the loop's default executor down: in a thread of its
        own, and after it nothing may need ``asyncio.to_thread``.
        """
        if _Bound.engine is not self:
            return
        _Bound.advance = None
        waited = 0.0
        while _Bound.running and waited < _CLOSE_GRACE_SECONDS:
            await self._clock.sleep(_CLOSE_LOOK_SECONDS)
            waited += _CLOSE_LOOK_SECONDS
        # With a time of its own to wait it would sleep for a whole second first.
        await _in_own_thread(lambda: DBOS.destroy(workflow_completion_timeout_sec=0))
        _Bound.engine = None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn whatever DBOS and its driver raise into our error."""
        try:
            yield
        except Exception as error:
            where = "its PostgreSQL schema" if self._is_postgres else str(self._home / "engine.db")
            raise StorageUnavailableError(
                f"The engine could not use {where} ({type(error).__name__}: {error}). Make room on "
                "the disk or mend the database; due turns are found by their rows meanwhile."
            ) from error

    @property
    def _is_postgres(self) -> bool:
        return self._url.startswith(("postgres:", "postgresql:", "postgresql+"))

    def _system_url(self) -> str:
        if self._is_postgres:
            return self._url.replace("postgres://", "postgresql://", 1)
        path = self._home / "engine.db"
        keep_private(path)
        # DBOS leaves SQLite's slow default journal; the mode is a property of the file.
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        return f"sqlite:///{path}"


async def _in_own_thread(work: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        try:
            work()
        finally:
            loop.call_soon_threadsafe(done.set_result, None)

    threading.Thread(target=run, name="noctule-engine-close", daemon=True).start()
    await done


def _quiet(noise: EngineNoise) -> None:
    log = logging.getLogger("dbos")
    log.setLevel(logging.WARNING)
    log.filters = [noise]
