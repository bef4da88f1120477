"""What channels ask of the database: chats, who may talk, and the mail both ways."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from noctule.core.messaging.chats import Chat, Pairing, Person, Subscription
from noctule.core.messaging.messages import Backlog, InboxUpdate, OutboxMessage, OutgoingState


class ChatStore(Protocol):
    """Where people talk, who may, and what their chats watch."""

    async def put(self, chat: Chat) -> None:
        """Store or replace a chat."""
        ...

    async def get(self, channel: str, place: str) -> Chat | None:
        """Return one chat; None when nobody ever talked there."""
        ...

    async def everywhere(self, channel: str) -> list[Chat]:
        """Return every chat of a messenger, in order of their places."""
        ...

    async def move(self, channel: str, place: str, to: str) -> None:
        """Rename a place (a group became a supergroup), with its watches and waiting mail."""
        ...

    async def watch(self, watch: Subscription) -> None:
        """Store or replace a watch."""
        ...

    async def watches(self, channel: str, *, place: str | None = None) -> list[Subscription]:
        """Return the watches of a messenger or of one place; in order of session."""
        ...

    async def saw(self, channel: str, place: str, session_id: str, seq: int) -> None:
        """Note the last event that was told; an earlier one changes nothing."""
        ...

    async def unwatch(self, channel: str, place: str, session_id: str) -> None:
        """Forget a watch."""
        ...

    async def admit(self, person: Person) -> None:
        """Store somebody who may talk; one who already may stays as they are."""
        ...

    async def persons(self, channel: str) -> list[Person]:
        """Return everybody admitted, in order of admission."""
        ...

    async def put_pairing(self, pairing: Pairing) -> None:
        """Store or replace the pairing of a stranger."""
        ...

    async def pairings(self, channel: str) -> list[Pairing]:
        """Return every pairing, expired ones included, oldest first."""
        ...

    async def drop_pairing(self, channel: str, person: str) -> None:
        """Forget a stranger's pairing."""
        ...


class InboxStore(Protocol):
    """What came in."""

    async def add(self, updates: Sequence[InboxUpdate]) -> int:
        """Store updates; those with a stored number change nothing. Return how many were new."""
        ...

    async def next_number(self, channel: str) -> int | None:
        """Return the number after the highest stored one; None when none is stored."""
        ...

    async def newest_at(self, channel: str) -> datetime | None:
        """Return when the last update was received; None when none is stored."""
        ...

    async def waiting(self, channel: str) -> list[InboxUpdate]:
        """Return the updates not handled yet, in order of number."""
        ...

    async def begin(self, channel: str, number: int) -> None:
        """Count a try at handling one."""
        ...

    async def handled(
        self, channel: str, number: int, *, at: datetime, error: str | None = None
    ) -> None:
        """Note that one needs no handling any more, and why it was given up if it was."""
        ...

    async def prune(self, channel: str, *, before: datetime) -> int:
        """Drop handled updates received before a moment, but never the newest; return how many."""
        ...


class OutboxStore(Protocol):
    """What is to go out."""

    async def add(self, message: OutboxMessage) -> bool:
        """Store a message; return False when one with its key is there.

        An edit with the key of an edit that is still pending takes its place.
        """
        ...

    async def waiting(self, channel: str) -> list[OutboxMessage]:
        """Return what is pending or was being sent, in order of id."""
        ...

    async def first(self, channel: str, place: str) -> OutboxMessage | None:
        """Return what goes out next at a place; None when nothing waits there."""
        ...

    async def by_key(self, channel: str, key: str) -> OutboxMessage | None:
        """Return one message; None when none has the key."""
        ...

    async def by_message(self, channel: str, place: str, message_id: str) -> OutboxMessage | None:
        """Return what was sent as a message of the messenger; None when it was not ours."""
        ...

    async def sending(self, message_id: str, *, repeated: bool = False) -> None:
        """Note that one is handed over now, and whether it may stand there already."""
        ...

    async def sent(self, message_id: str, *, sent_as: str | None, at: datetime) -> None:
        """Note that one arrived, and what the messenger calls it."""
        ...

    async def later(self, message_id: str, *, not_before: datetime, error: str) -> None:
        """Put one back until a moment."""
        ...

    async def failed(
        self, message_id: str, *, error: str, state: OutgoingState = OutgoingState.FAILED
    ) -> None:
        """Give one up."""
        ...

    async def rewrite(self, message_id: str, body: Mapping[str, Any]) -> None:
        """Change the body of one that is not sent yet (plain text in place of markup)."""
        ...

    async def backlog(self, channel: str) -> Backlog:
        """Return how much mail of a messenger waits, incoming included."""
        ...

    async def prune(self, channel: str, *, before: datetime) -> int:
        """Drop what was sent or dropped before a moment; return how many."""
        ...
