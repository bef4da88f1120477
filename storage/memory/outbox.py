"""What is to go out to a messenger."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from noctule.core.mail import Backlog, Outgoing, OutgoingKind, OutgoingState
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction

_UNDERWAY = {OutgoingState.PENDING, OutgoingState.SENDING}


class MemoryOutbox:
    """What is to go out to a messenger."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, message: Outgoing) -> bool:
        """Store a message; return False when one with its key is there.

        An edit with the key of an edit that is still pending takes its place.
        """
        tables = await self._transaction.writing("outbox")
        same = [
            m
            for m in tables.outbox.values()
            if (m.channel, m.key) == (message.channel, message.key)
        ]
        if message.kind is OutgoingKind.EDIT:
            for other in same:
                if other.kind is OutgoingKind.EDIT and other.state is OutgoingState.PENDING:
                    newer = replace(other, body=message.body, silent=message.silent)
                    tables.outbox[other.id] = stored(newer)
                    return True
        elif same:
            return False
        tables.outbox[message.id] = stored(message)
        return True

    async def waiting(self, channel: str) -> list[Outgoing]:
        """Return what is pending or was being sent, in order of id."""
        return await self._find(lambda m: m.channel == channel and m.state in _UNDERWAY)

    async def first(self, channel: str, place: str) -> Outgoing | None:
        """Return what goes out next at a place; None when nothing waits there."""
        found = [message for message in await self.waiting(channel) if message.place == place]
        return found[0] if found else None

    async def by_key(self, channel: str, key: str) -> Outgoing | None:
        """Return one message; None when none has the key. Of edits the newest."""
        found = await self._find(lambda m: (m.channel, m.key) == (channel, key))
        return found[-1] if found else None

    async def by_message(self, channel: str, place: str, message_id: str) -> Outgoing | None:
        """Return what was sent as a message of the messenger; None when it was not ours."""
        found = await self._find(
            lambda m: (
                (m.channel, m.place, m.message_id) == (channel, place, message_id)
                and m.kind is not OutgoingKind.EDIT
            )
        )
        return found[-1] if found else None

    async def sending(self, message_id: str, *, repeated: bool = False) -> None:
        """Note that one is handed over now, and whether it may stand there already."""
        message = await self._get(message_id)
        if message is not None:
            await self._put(
                replace(
                    message,
                    state=OutgoingState.SENDING,
                    tries=message.tries + 1,
                    repeated=message.repeated or repeated,
                )
            )

    async def sent(self, message_id: str, *, sent_as: str | None, at: datetime) -> None:
        """Note that one arrived, and what the messenger calls it."""
        await self._change(
            message_id, state=OutgoingState.SENT, message_id=sent_as, sent_at=at, error=None
        )

    async def later(self, message_id: str, *, not_before: datetime, error: str) -> None:
        """Put one back until a moment."""
        await self._change(
            message_id, state=OutgoingState.PENDING, not_before=not_before, error=error
        )

    async def failed(
        self, message_id: str, *, error: str, state: OutgoingState = OutgoingState.FAILED
    ) -> None:
        """Give one up."""
        await self._change(message_id, state=state, error=error)

    async def rewrite(self, message_id: str, body: Mapping[str, Any]) -> None:
        """Change the body of one that is not sent yet (plain text in place of markup)."""
        await self._change(message_id, body=body)

    async def backlog(self, channel: str) -> Backlog:
        """Return how much mail of a messenger waits, incoming included."""
        outgoing = await self.waiting(channel)
        updates = (await self._transaction.reading()).inbox.values()
        incoming = [u for u in updates if u.channel == channel and u.handled_at is None]
        failed = await self._find(
            lambda m: m.channel == channel and m.state is OutgoingState.FAILED
        )
        since = [m.created_at for m in outgoing] + [u.received_at for u in incoming]
        return Backlog(len(incoming), len(outgoing), min(since, default=None), len(failed))

    async def prune(self, channel: str, *, before: datetime) -> int:
        """Drop what was sent or dropped before a moment; return how many."""
        ended = {OutgoingState.SENT, OutgoingState.DROPPED}
        old = await self._find(
            lambda m: m.channel == channel and m.state in ended and m.created_at < before
        )
        tables = await self._transaction.writing("outbox")
        for message in old:
            del tables.outbox[message.id]
        return len(old)

    async def _find(self, meant: Callable[[Outgoing], bool]) -> list[Outgoing]:
        messages = (await self._transaction.reading()).outbox.values()
        return sorted(filter(meant, messages), key=lambda message: message.id)

    async def _get(self, message_id: str) -> Outgoing | None:
        return (await self._transaction.reading()).outbox.get(message_id)

    async def _change(self, name: str, /, **changes: Any) -> None:
        message = await self._get(name)
        if message is not None:
            await self._put(replace(message, **changes))

    async def _put(self, message: Outgoing) -> None:
        tables = await self._transaction.writing("outbox")
        tables.outbox[message.id] = stored(message)
