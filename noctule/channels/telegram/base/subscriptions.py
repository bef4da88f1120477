"""Watching: chats are told of their sessions, from the event stream, over restarts.

What was told is noted with what is to be sent, in one transaction: a kill at any line tells nothing
twice and leaves nothing out.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Protocol

from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.log_redaction import trail
from noctule.channels.telegram.delivery.outbox import Outbox
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage
from noctule.core.errors import NoctuleError
from noctule.core.llm.events import Event
from noctule.core.messaging.chats import Subscription, WatchKind

if TYPE_CHECKING:
    from noctule.bootstrap import Records

_LOG = logging.getLogger(__name__)

_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_TRIES = 3
"""How often telling one event may break before it is left out."""


class Narrator(Protocol):
    """Tells one chat of one session."""

    async def tell(self, event: Event) -> None:
        """Tell of one event; letters go through ``ViewSender.send``, with the event's number."""
        ...

    async def close(self) -> None:
        """Stop whatever goes on in the background."""
        ...


class ViewSender:
    """How a narrator sends: letters and the number of the event they tell of, together.

    Args:
        records: the database.
        outbox: where letters go.
        watch: whose event it is.
        end: ends the watch.
    """

    def __init__(
        self,
        records: "Records",
        outbox: Outbox,
        watch: Subscription,
        end: Callable[[], Awaitable[None]],
    ) -> None:
        self._records = records
        self._outbox = outbox
        self._end = end
        self.watch = watch
        self.place = ChatRef.parse(watch.place)

    async def send(self, seq: int, letters: Iterable[OutgoingMessage] = ()) -> None:
        """Store letters and note that everything up to an event was told.

        Args:
            seq: the event's number.
            letters: what it makes the bot say; nothing is fine too.
        """
        watch, letters = self.watch, list(letters)
        async with self._records.database.work(durable=bool(letters)) as work:
            await self._outbox.store(work, letters)
            await work.chats.saw(CHANNEL, watch.place, watch.session_id, seq)
            await work.commit()
        for place in {str(letter.place) for letter in letters}:
            self._outbox.wake(place)

    async def end(self) -> None:
        """Watch this session no longer, unless something of it is unfinished."""
        await self._end()


NarratorOf = Callable[[ViewSender], Narrator]
"""Makes the narrator of a watch."""


class Subscriptions:
    """Keeps one task per watched session and chat.

    Args:
        records: the database and the event stream.
        outbox: where letters go.
        narrators: makes the narrator of each kind of watch; set before ``start``.
    """

    def __init__(self, records: "Records", outbox: Outbox) -> None:
        self._records = records
        self._outbox = outbox
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.narrators: dict[WatchKind, NarratorOf] = {}

    async def start(self) -> None:
        """Go on with every watch of an earlier process."""
        async with self._records.database.read() as work:
            watches = await work.chats.watches(CHANNEL)
        for watch in watches:
            self._begin(watch)

    async def watch(self, place: ChatRef, session_id: str, kind: WatchKind, *, after: int) -> None:
        """Tell a chat of a session from now on; one that is told already goes on being told.

        Args:
            place: the chat.
            session_id: the session's whole id.
            kind: how it is told.
            after: the last event it need not be told of; 0 tells of everything.
        """
        async with self._records.database.work() as work:
            known = await work.chats.watches(CHANNEL, place=str(place))
            watch = next((w for w in known if w.session_id == session_id), None)
            if watch is None or watch.kind is not kind:
                seen = after if watch is None else watch.seen_seq
                watch = Subscription(CHANNEL, str(place), session_id, kind, seen)
                await work.chats.watch(watch)
                await work.commit()
                await self._stop(str(place), session_id)
        self._begin(watch)

    async def move(self, place: ChatRef, to: ChatRef) -> None:
        """Tell another place what was told at one: the database has moved its watches already."""
        for known, session_id in [key for key in self._tasks if key[0] == str(place)]:
            await self._stop(known, session_id)
        async with self._records.database.read() as work:
            watches = await work.chats.watches(CHANNEL, place=str(to))
        for watch in watches:
            self._begin(watch)

    async def close(self) -> None:
        """Stop watching; the next start goes on behind what was told."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, watch: Subscription) -> None:
        key = (watch.place, watch.session_id)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._follow(watch))

    async def _stop(self, place: str, session_id: str) -> None:
        task = self._tasks.pop((place, session_id), None)
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self, watch: Subscription) -> None:
        ended = asyncio.Event()

        async def end() -> None:
            async with self._records.database.work() as work:
                if await work.turns.oldest_unfinished(watch.session_id) is not None:
                    return  # more of it is on its way
                await work.chats.unwatch(CHANNEL, watch.place, watch.session_id)
                await work.commit()
            ended.set()
            self._tasks.pop((watch.place, watch.session_id), None)  # it may be watched anew

        narrator = self.narrators[watch.kind](ViewSender(self._records, self._outbox, watch, end))
        after, waits = watch.seen_seq, 0
        try:
            while not ended.is_set():
                try:
                    # aclosing: a generator left half-way would stay a follower
                    async with aclosing(self._events(watch.session_id, after)) as events:
                        async for event in events:
                            await self._tell(narrator, event)
                            after, waits = event.seq, 0
                            if ended.is_set():
                                break
                except Exception as error:  # noqa: BLE001 - one event must not silence a session
                    # Told again from the event it failed at: what it makes the bot say has keys.
                    waits += 1
                    if waits == 1:
                        what = trail(error)
                        _LOG.warning("session %s is told later: %s", watch.session_id, what)
                    await self._records.clock.sleep(
                        min(_LONGEST_WAIT_S, _WAIT_S * 2 ** min(waits - 1, 9))
                    )
        finally:
            await narrator.close()

    async def _tell(self, narrator: Narrator, event: Event) -> None:
        for number in range(_TRIES):
            try:
                await narrator.tell(event)
            except NoctuleError:
                raise
            except Exception as broke:  # noqa: BLE001 - likewise
                _LOG.error("an event (%s) could not be told: %s", event.kind.value, trail(broke))
                await self._records.clock.sleep(_WAIT_S * number)
            else:
                return

    def _events(self, session_id: str, after: int) -> AsyncGenerator[Event, None]:
        return self._records.events.follow(session_id, after)
