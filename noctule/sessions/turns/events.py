"""The event stream: written in batches while a turn runs, followed from any point, by anybody."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Any

from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError
from noctule.core.llm.events import Event, EventKind
from noctule.core.ports.database import Database
from noctule.core.workers.patience import look_up

_LOG = logging.getLogger(__name__)

BATCH_SECONDS = 0.1
"""How long text is gathered before it is stored: five to ten writes a second are plenty."""

PRUNE_SECONDS = 2.0
"""How long the text deltas of a finished turn stay for followers that are a little behind."""


class EventLog:
    """Everything watchers may see.

    Args:
        database: where events are kept.
        clock: times them and paces the batches.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._followers: dict[str, dict[asyncio.Event, int]] = defaultdict(dict)
        self._pump: asyncio.Task[None] | None = None
        self._pruning: dict[str, asyncio.Task[None]] = {}

    def sink(self, session_id: str, turn_id: str, database: Database | None = None) -> "TurnSink":
        """Return where one turn reports; close it when the turn rests.

        Args:
            session_id: of the turn.
            turn_id: which.
            database: the view of whoever carries the turn; None takes the log's own.
        """
        return TurnSink(self, database or self._database, self._clock, session_id, turn_id)

    def stored(self, session_id: str) -> None:
        """Tell the followers of a session in this process that there is more to read."""
        for signal in self._followers.get(session_id, ()):
            signal.set()

    async def follow(self, session_id: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """Yield the events of a session as they come, without an end.

        Args:
            session_id: whose.
            after: the last sequence number already seen; 0 begins at the start.
        """
        signal = asyncio.Event()
        self._followers[session_id][signal] = after
        if self._pump is None:
            self._pump = asyncio.create_task(self._wake_at_changes())
        try:
            while True:
                signal.clear()
                events = await self._after(session_id, after)
                for event in events:
                    after = event.seq
                    self._followers[session_id][signal] = after
                    yield event
                if not events:
                    await signal.wait()
        finally:
            del self._followers[session_id][signal]
            if not self._followers[session_id]:
                del self._followers[session_id]

    async def _after(self, session_id: str, after: int) -> list[Event]:
        return await look_up(self._database, lambda work: work.events.after(session_id, after))

    def prune_soon(self, turn_id: str) -> None:
        """Drop the text deltas of a turn whose reply is stored, once its followers had time.

        Until then they can still be read; a process that ends first drops them at its end.
        """
        task = asyncio.create_task(self._prune_later(turn_id))
        self._pruning[turn_id] = task
        task.add_done_callback(lambda _: self._pruning.pop(turn_id, None))

    async def close(self) -> None:
        """Drop what is to be dropped, and stop listening for other processes' writes."""
        waiting = dict(self._pruning)
        for turn_id, task in waiting.items():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._prune(turn_id)
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump
            self._pump = None

    async def _prune_later(self, turn_id: str) -> None:
        await self._clock.sleep(PRUNE_SECONDS)
        await self._prune(turn_id)

    async def _prune(self, turn_id: str) -> None:
        try:
            async with self._database.work(durable=False) as work:
                await work.events.prune_deltas(turn_id)
                await work.commit()
        except NoctuleError as error:
            _LOG.warning("the deltas of turn %s stay: %s", turn_id, error)

    async def _wake_at_changes(self) -> None:
        # aclosing: a generator left half-way would keep its connection
        async with aclosing(self._database.changes()) as changes:
            async for _ in changes:
                for session_id in await self._with_news():
                    self.stored(session_id)

    async def _with_news(self) -> list[str]:
        """Return the followed sessions with events some follower has not read, in one question.

        Somebody writes all the time: to let every follower look would cost a question each.
        """
        followed = list(self._followers)
        try:
            async with self._database.read() as work:
                last = await work.events.last_seqs(followed)
        except NoctuleError:
            return followed  # each of them finds out for itself
        return [
            name
            for name in followed
            if any(last.get(name, 0) > after for after in self._followers.get(name, {}).values())
        ]


class TurnSink:
    """Where one turn reports what watchers should see.

    Text deltas of one attempt that come within a batch become one event. What cannot be stored
    now is kept and tried again with the next batch: a locked database must not end a turn.
    """

    def __init__(
        self, log: EventLog, database: Database, clock: Clock, session_id: str, turn_id: str
    ) -> None:
        self._log = log
        self._database = database
        self._clock = clock
        self._session_id = session_id
        self._turn_id = turn_id
        self._pending: list[tuple[EventKind, Mapping[str, Any]]] = []
        self._wanted = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def emit(self, kind: EventKind, **data: Any) -> None:
        """Hand over one event; it is stored within a batch's time."""
        last = self._pending[-1] if self._pending else None
        if (
            kind is EventKind.DELTA
            and last is not None
            and last[0] is EventKind.DELTA
            and last[1].get("attempt") == data.get("attempt")
        ):
            merged = {**last[1], "text": f"{last[1]['text']}{data['text']}"}
            self._pending[-1] = (EventKind.DELTA, merged)
        else:
            self._pending.append((kind, data))
        if self._task is None:
            self._task = asyncio.create_task(self._write_batches())
        self._wanted.set()

    async def flush(self) -> None:
        """Store what is pending now.

        Raises:
            NoctuleError: the database refused; what was pending still is.
        """
        async with self._writing:
            if not self._pending:
                return
            items, self._pending = self._pending, []
            try:
                # Not worth a wait for the disk: the rest of the turn brings what is kept with it.
                async with self._database.work(durable=False) as work:
                    await work.events.append(
                        self._session_id, self._turn_id, items, at=self._clock.now()
                    )
                    await work.commit()
            except BaseException:
                self._pending = items + self._pending
                raise
        self._log.stored(self._session_id)

    async def close(self) -> None:
        """Store the rest and stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._database.patience.keep_trying(self.flush)

    async def _write_batches(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._database.patience.keep_trying(self.flush)
            except NoctuleError as error:
                _LOG.warning("events of turn %s are kept back: %s", self._turn_id, error)
                self._wanted.set()
            await self._clock.sleep(BATCH_SECONDS)
