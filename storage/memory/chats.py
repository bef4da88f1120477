"""Where people talk through a messenger, what their chats watch, and who may."""

from dataclasses import replace

from noctule.core.chats import Chat, Pairing, Person, Watch
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, missing_parent


class MemoryChats:
    """Where people talk through a messenger, what their chats watch, and who may."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def put(self, chat: Chat) -> None:
        """Store or replace a chat."""
        tables = await self._transaction.writing("chats")
        if chat.session_id is not None and chat.session_id not in tables.sessions:
            raise missing_parent("session", chat.session_id)
        tables.chats[chat.channel, chat.place] = stored(chat)

    async def get(self, channel: str, place: str) -> Chat | None:
        """Return one chat; None when nobody ever talked there."""
        return (await self._transaction.reading()).chats.get((channel, place))

    async def everywhere(self, channel: str) -> list[Chat]:
        """Return every chat of a messenger, in order of their places."""
        chats = (await self._transaction.reading()).chats.values()
        found = [chat for chat in chats if chat.channel == channel]
        return sorted(found, key=lambda chat: chat.place)

    async def move(self, channel: str, place: str, to: str) -> None:
        """Rename a place (a group became a supergroup), with its watches and waiting mail."""
        tables = await self._transaction.writing("chats", "watches", "outbox")
        chat = tables.chats.pop((channel, place), None)
        if chat is not None and (channel, to) not in tables.chats:
            tables.chats[channel, to] = replace(chat, place=to)
        for key, watch in list(tables.watches.items()):
            if key[:2] == (channel, place):
                del tables.watches[key]
                tables.watches[channel, to, watch.session_id] = replace(watch, place=to)
        for name, message in list(tables.outbox.items()):
            if (message.channel, message.place) == (channel, place):
                tables.outbox[name] = replace(message, place=to)

    async def watch(self, watch: Watch) -> None:
        """Store or replace a watch."""
        tables = await self._transaction.writing("watches")
        if watch.session_id not in tables.sessions:
            raise missing_parent("session", watch.session_id)
        tables.watches[watch.channel, watch.place, watch.session_id] = watch

    async def watches(self, channel: str, *, place: str | None = None) -> list[Watch]:
        """Return the watches of a messenger or of one place; in order of session."""
        found = [
            watch
            for watch in (await self._transaction.reading()).watches.values()
            if watch.channel == channel and place in {None, watch.place}
        ]
        return sorted(found, key=lambda watch: (watch.session_id, watch.place))

    async def saw(self, channel: str, place: str, session_id: str, seq: int) -> None:
        """Note the last event that was told; an earlier one changes nothing."""
        tables = await self._transaction.writing("watches")
        watch = tables.watches.get((channel, place, session_id))
        if watch is not None and watch.seen_seq < seq:
            tables.watches[channel, place, session_id] = replace(watch, seen_seq=seq)

    async def unwatch(self, channel: str, place: str, session_id: str) -> None:
        """Forget a watch."""
        tables = await self._transaction.writing("watches")
        tables.watches.pop((channel, place, session_id), None)

    async def admit(self, person: Person) -> None:
        """Store somebody who may talk; one who already may stays as they are."""
        tables = await self._transaction.writing("persons")
        tables.persons.setdefault((person.channel, person.person), stored(person))

    async def persons(self, channel: str) -> list[Person]:
        """Return everybody admitted, in order of admission."""
        persons = (await self._transaction.reading()).persons.values()
        found = [person for person in persons if person.channel == channel]
        return sorted(found, key=lambda person: (person.admitted_at, person.person))

    async def put_pairing(self, pairing: Pairing) -> None:
        """Store or replace the pairing of a stranger."""
        tables = await self._transaction.writing("pairings")
        tables.pairings[pairing.channel, pairing.person] = stored(pairing)

    async def pairings(self, channel: str) -> list[Pairing]:
        """Return every pairing, expired ones included, oldest first."""
        pairings = (await self._transaction.reading()).pairings.values()
        found = [pairing for pairing in pairings if pairing.channel == channel]
        return sorted(found, key=lambda pairing: (pairing.asked_at, pairing.person))

    async def drop_pairing(self, channel: str, person: str) -> None:
        """Forget a stranger's pairing."""
        tables = await self._transaction.writing("pairings")
        tables.pairings.pop((channel, person), None)
