"""The updates that wait for the bot: kept until it confirms them by asking for later ones."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.support.telegram.pulse import Pulse
from tests.support.telegram.refusals import conflict

MOST_AT_ONCE = 100
ON_REQUEST_ONLY = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(frozen=True)
class Update:
    """One thing the bot is told.

    Args:
        id: greater than those of all updates before.
        at: when it came to be, in monotonic seconds.
        kind: ``message``, ``callback_query`` and so on.
        payload: the object of that kind.
        whole: sent in place of the ``Update`` object, whatever it is; None sends that.
    """

    id: int
    at: float
    kind: str
    payload: dict[str, Any]
    whole: Any = None

    @property
    def document(self) -> Any:
        """The ``Update`` object."""
        if self.whole is not None:
            return self.whole
        return {"update_id": self.id, self.kind: self.payload}


class Updates:
    """The queue of updates, as the Bot API keeps it: it is not lost when the bot goes away."""

    def __init__(self) -> None:
        self._ids = count(810_000_001)
        self._pending: list[Update] = []
        self._again: list[Update] = []
        self._poll: asyncio.Future[None] | None = None
        self._backwards = 0
        self.allowed: frozenset[str] = frozenset()
        self.by_webhook = False
        self.history: list[Update] = []
        self.pulse = Pulse()

    @property
    def pending(self) -> list[Update]:
        """Those that the bot has not confirmed."""
        return list(self._pending)

    @property
    def polled(self) -> bool:
        """Whether somebody waits for updates right now."""
        return self._poll is not None and not self._poll.done()

    async def until_polled(self, within: float = 20.0) -> None:
        """Wait until somebody waits for updates: the bot is up.

        Raises:
            TimeoutError: nobody did in that many seconds.
        """
        await self.pulse.until(lambda: self.polled, within)

    async def until_confirmed(self, within: float = 20.0) -> None:
        """Wait until the bot has confirmed or taken everything there is.

        Raises:
            TimeoutError: it did not in that many seconds.
        """
        await self.pulse.until(lambda: not (self._pending or self._again), within)

    def publish(self, at: float, kind: str, payload: dict[str, Any]) -> Update | None:
        """Add an update; None when the bot did not ask for this kind."""
        wanted = kind in self.allowed if self.allowed else kind not in ON_REQUEST_ONLY
        if not wanted:
            return None
        update = Update(next(self._ids), at, kind, payload)
        self.history.append(update)
        self._pending.append(update)
        self._wake()
        return update

    def publish_odd(self, made: Callable[[int], Any]) -> Update:
        """Add whatever a function makes of its number, in place of an ``Update`` object."""
        number = next(self._ids)
        update = Update(number, 0.0, "odd", {}, made(number))
        self._pending.append(update)
        self._wake()
        return update

    def repeat(self, *updates: Update) -> None:
        """Deliver updates once more, whether or not they were confirmed."""
        self._again.extend(updates)
        self._wake()

    def reverse_next(self, batches: int = 1) -> None:
        """Deliver the next batches of two or more with the latest update first."""
        self._backwards += batches

    def forget(self) -> None:
        """Drop everything that waits, as ``drop_pending_updates`` does."""
        self._pending.clear()

    def confirm(self, offset: int) -> None:
        """Drop the updates before an offset; with a negative one all but that many."""
        if offset < 0:
            del self._pending[:offset]
        elif offset:
            self._pending = [update for update in self._pending if update.id >= offset]
        self.pulse.beat()

    def drop(self, update: Update) -> None:
        """Drop one that was delivered to a webhook."""
        for queue in (self._again, self._pending):
            if update in queue:
                queue.remove(update)
                break
        self.pulse.beat()

    def interrupt(self, by: str) -> None:
        """End the poll that is going on with a conflict, as another poll or a webhook does."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_exception(conflict(f"terminated by {by}"))

    async def take(self, offset: int, limit: int, timeout_seconds: float) -> list[Update]:
        """Confirm what is before the offset, then return what waits, or wait for it.

        Raises:
            Refusal: a webhook is set, or another poll came.
        """
        if self.by_webhook:
            raise conflict(
                "can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first"
            )
        self.interrupt("other getUpdates request; make sure that only one bot instance is running")
        self.confirm(offset)
        if not (self._pending or self._again) and timeout_seconds:
            await self._wait(timeout_seconds)
        return self._batch(limit)

    async def next(self) -> Update:
        """Wait for an update and return it without dropping it, for a webhook."""
        while not (batch := self._again[:1] or self._pending[:1]):
            await self._wait(None)
        return batch[0]

    async def _wait(self, seconds: float | None) -> None:
        poll = self._poll = asyncio.get_running_loop().create_future()
        self.pulse.beat()
        try:
            async with asyncio.timeout(seconds):
                await poll
        except TimeoutError:
            pass
        finally:
            if self._poll is poll:
                self._poll = None

    def _wake(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def _batch(self, limit: int) -> list[Update]:
        again, self._again = self._again, []
        batch = [*again, *self._pending][: limit if 0 < limit <= MOST_AT_ONCE else MOST_AT_ONCE]
        if self._backwards and len(batch) > 1:
            self._backwards -= 1
            batch.reverse()
        return batch
