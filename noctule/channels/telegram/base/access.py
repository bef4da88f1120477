"""Access control: who may talk to the bot; everyone else is a stranger.

People are let in by their numeric id: those of ``telegram.allow``, and those who repeated a code
that only the terminal shows. The first of them is the owner of the data folder.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.core.clock import Clock
from noctule.core.messaging.chats import Chat, Pairing, Person
from noctule.core.ports.database import Database
from noctule.core.sessions.sessions import LOCAL_OWNER
from noctule.core.settings import TelegramSettings

CODE_LIFE = timedelta(hours=1)
NEXT_CODE_AFTER = timedelta(minutes=10)
MOST_PENDING = 3
WRONG_TRIES = 5
LOCK = timedelta(hours=1)
_CODE_DIGITS = 6
_INVITATION_BYTES = 24
_BY_LINK = re.compile(r"/start(?:@\w+)?\s+([A-Za-z0-9_-]{20,64})\s*")
"""How Telegram sends what stood behind ``?start=`` in a link to a bot: up to 64 of these characters
(core.telegram.org/bots/features, "Deep linking", checked 2026-11)."""
_NAME_CHARS = 40
_MOVED_FROM = "moved_from"


class Invitation(Enum):
    """A link that lets in whoever uses it first: who showed it, and for how long it counts.

    One of each kind is known at a time, so that ``serve`` does not end what ``init`` just showed.
    """

    OF_SERVE = ("invitation", CODE_LIFE)
    OF_INIT = ("invitation of init", timedelta(hours=24))

    @property
    def key(self) -> str:
        """What stands in place of a person's number."""
        return self.value[0]

    @property
    def life(self) -> timedelta:
        """How long it counts."""
        return self.value[1]


_INVITATIONS = frozenset(kind.key for kind in Invitation)


@dataclass(frozen=True, slots=True)
class UnknownUser:
    """Somebody who may not talk to the bot.

    Args:
        person: their numeric id.
        place: where they are.
        name: as they call themselves; nothing to rely on.
        said: what they wrote.
    """

    person: int
    place: ChatRef
    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of hearing a stranger out.

    Args:
        told: what they are told.
        in_reply: whether it says what came of a code; all else is a refusal, and one an hour is
            enough.
    """

    told: str
    in_reply: bool = False


class AccessControl:
    """Knows who may talk.

    Args:
        settings: whom the configuration lets in.
        database: whom a code let in.
        clock: the time.
        say: shows a code on the terminal.
    """

    def __init__(
        self,
        settings: TelegramSettings,
        database: Database,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._say = say
        self._owners: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._told_at: datetime | None = None
        self._groups = set(settings.groups)
        self._door = asyncio.Lock()

    async def open(self) -> None:
        """Read who was let in before."""
        async with self._database.read() as work:
            persons = await work.chats.persons(CHANNEL)
            chats = await work.chats.everywhere(CHANNEL)
        moves = {chat.settings.get(_MOVED_FROM): ChatRef.parse(chat.place).chat for chat in chats}
        for group in self._settings.groups:
            to = moves.get(group)
            while to is not None and to not in self._groups:
                self._groups.add(to)
                to = moves.get(to)
        self._owners = {int(person.person): person.owner for person in persons}
        self._names = {int(person.person): person.name for person in persons}
        for number, person in enumerate(self._settings.allow):
            self._owners[person] = LOCAL_OWNER if number == 0 else f"{CHANNEL}:{person}"

    def owner_of(self, person: int) -> str | None:
        """Return whose sessions a person's are; None for a stranger."""
        return self._owners.get(person)

    def meet(self, person: int, name: str) -> None:
        """Remember how somebody who may talk calls themselves."""
        self._names[person] = name

    def called(self, owner: str) -> str:
        """Return what to call an owner's person, with the id: a name may be anything."""
        person = next((one for one, whose in self._owners.items() if whose == owner), None)
        if person is None:
            return "a person I no longer know"
        name = "".join(c for c in self._names.get(person, "") if c.isprintable())[:_NAME_CHARS]
        return f"{name or 'somebody'} (id {person})"

    def is_head(self, person: int) -> bool:
        """Whether a person owns the data folder: only they approve what others' work wants."""
        return self._owners.get(person) == LOCAL_OWNER

    @property
    def heads(self) -> list[int]:
        """The people who own the data folder."""
        return [person for person, owner in self._owners.items() if owner == LOCAL_OWNER]

    def answers_in(self, place: ChatRef) -> bool:
        """Whether the bot talks at a place at all: in private, and in listed groups."""
        return place.is_private or place.chat in self._groups

    async def follow(self, place: ChatRef, to: ChatRef) -> None:
        """Go on answering in a listed group that became a supergroup, also after a restart."""
        if place.chat not in self._groups:
            return
        self._groups.add(to.chat)
        async with self._database.work() as work:
            chat = await work.chats.get(CHANNEL, str(to)) or Chat(CHANNEL, str(to), LOCAL_OWNER)
            settings = {**chat.settings, _MOVED_FROM: place.chat}
            await work.chats.put(replace(chat, settings=settings))
            await work.commit()

    async def invite(self, kind: Invitation = Invitation.OF_SERVE) -> str | None:
        """Return a code for a link that lets in whoever uses it first.

        It takes the place of an earlier one of its kind. Only its digest is kept.

        Args:
            kind: who shows it, and with that how long it counts.

        Returns:
            None when somebody may talk already.
        """
        if self._owners:
            return None
        code, now = secrets.token_urlsafe(_INVITATION_BYTES), self._clock.now()
        async with self._database.work() as work:
            await work.chats.put_pairing(
                Pairing(
                    channel=CHANNEL,
                    person=kind.key,
                    place="",
                    name="",
                    code_digest=_digest(kind.key, code),
                    asked_at=now,
                    expires_at=now + kind.life,
                )
            )
            await work.commit()
        return code

    async def knock(self, stranger: UnknownUser) -> Heard:
        """Hear a stranger out; return what they are told.

        A right code lets them in (``owner_of`` knows them then); else they may be given one to
        find on the terminal, a few at a time.
        """
        if self._settings.allow:
            return Heard("Sorry, you're not on my owner's allow list.")
        async with self._door:  # two with a right code must not both be the first
            return await self._hear(stranger)

    async def _hear(self, stranger: UnknownUser) -> Heard:
        if await self._is_invited(stranger):
            told = await self._admit(stranger)
            return Heard(told, in_reply=True)
        pairing = await self._pairing(stranger.person)
        now = self._clock.now()
        if pairing is not None and pairing.locked_until is not None and pairing.locked_until > now:
            return Heard("Too many wrong codes. Try again in an hour.")
        code = "".join(filter(str.isdigit, stranger.said))
        if pairing is not None and pairing.expires_at > now and len(code) == _CODE_DIGITS:
            return Heard(await self._try(stranger, pairing, code), in_reply=True)
        return Heard(await self._give_code(stranger, pairing))

    async def _is_invited(self, stranger: UnknownUser) -> bool:
        brought = _BY_LINK.fullmatch(stranger.said)
        if brought is None or not stranger.place.is_private:
            return False
        async with self._database.read() as work:
            pairings = await work.chats.pairings(CHANNEL)
        return any(
            hmac.compare_digest(_digest(one.person, brought[1]), one.code_digest)
            for one in pairings
            if one.person in _INVITATIONS and one.expires_at > self._clock.now()
        )

    async def _try(self, stranger: UnknownUser, pairing: Pairing, code: str) -> str:
        if hmac.compare_digest(_digest(stranger.person, code), pairing.code_digest):
            return await self._admit(stranger)
        wrong = pairing.wrong + 1
        locked = self._clock.now() + LOCK if wrong >= WRONG_TRIES else None
        async with self._database.work() as work:
            await work.chats.put_pairing(replace(pairing, wrong=wrong, locked_until=locked))
            await work.commit()
        left = WRONG_TRIES - wrong
        if left == 0:
            return "That wasn't the code. Try again in an hour with a new one."
        return f"That's not the code. {left} more {'try' if left == 1 else 'tries'}."

    async def _admit(self, stranger: UnknownUser) -> str:
        first = not self._owners
        owner = LOCAL_OWNER if first else f"{CHANNEL}:{stranger.person}"
        person = Person(
            CHANNEL, str(stranger.person), owner, stranger.name[:_NAME_CHARS], self._clock.now()
        )
        async with self._database.work() as work:
            await work.chats.admit(person)
            await work.chats.drop_pairing(CHANNEL, str(stranger.person))
            for invitation in _INVITATIONS:
                await work.chats.drop_pairing(CHANNEL, invitation)
            await work.commit()
        self._owners[stranger.person] = owner
        whom = "the owner" if first else "a guest with sessions of their own"
        self._say(f"{_shown(stranger)} can now talk to the bot, as {whom}.")
        if first:
            return "Welcome! You're now my owner. See /help for what I can do."
        return "Welcome! See /help for what I can do."

    async def _give_code(self, stranger: UnknownUser, pairing: Pairing | None) -> str:
        now = self._clock.now()
        told = (
            "I only talk to people I know. If this is your bot, a pairing code is shown in the "
            "terminal running `noctule serve`. Send it to me within an hour."
        )
        if pairing is not None and now - pairing.asked_at < NEXT_CODE_AFTER:
            return told
        async with self._database.read() as work:
            pairings = await work.chats.pairings(CHANNEL)
        others = [p for p in pairings if p.person not in {str(stranger.person), *_INVITATIONS}]
        pending = [p for p in others if p.expires_at > now]
        if len(pending) >= MOST_PENDING:
            self._tell_of_crowd(stranger, min(p.expires_at for p in pending))
            return (
                "I only talk to people I know, and too many strangers are asking right now. Please "
                "try again later."
            )
        code = "".join(secrets.choice("0123456789") for _ in range(_CODE_DIGITS))
        wrong = 0 if pairing is None or pairing.locked_until is not None else pairing.wrong
        fresh = Pairing(
            channel=CHANNEL,
            person=str(stranger.person),
            place=str(stranger.place),
            name=stranger.name[:_NAME_CHARS],
            code_digest=_digest(stranger.person, code),
            asked_at=now,
            expires_at=now + CODE_LIFE,
            wrong=wrong,
        )
        async with self._database.work() as work:
            await work.chats.put_pairing(fresh)
            await work.commit()
        self._say(
            f"{_shown(stranger)} wants to talk to the bot. If that is you, send it this code "
            f"within an hour: {code}"
        )
        return told

    def _tell_of_crowd(self, stranger: UnknownUser, until: datetime) -> None:
        """Say on the terminal why somebody gets no code, once in ten minutes."""
        now = self._clock.now()
        if self._told_at is not None and now - self._told_at < NEXT_CODE_AFTER:
            return
        self._told_at = now
        minutes = max(1, round((until - now).total_seconds() / 60))
        self._say(
            f"{_shown(stranger)} gets no code: {MOST_PENDING} others have an unused one (the first "
            f"expires in {minutes} min). If that is you, set telegram.allow: [{stranger.person}] "
            "and restart."
        )

    async def _pairing(self, person: int) -> Pairing | None:
        async with self._database.read() as work:
            pairings = await work.chats.pairings(CHANNEL)
        return next((p for p in pairings if p.person == str(person)), None)


def _digest(person: int | str, code: str) -> str:
    # The id is salt enough: the code lives an hour and five tries.
    return hashlib.sha256(f"{person}:{code}".encode()).hexdigest()


def _shown(stranger: UnknownUser) -> str:
    name = "".join(c for c in stranger.name if c.isprintable())[:_NAME_CHARS]
    return f"Telegram: {name or 'somebody'} (id {stranger.person})"
