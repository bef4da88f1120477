"""Office: what everybody in this channel works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from telegram import Bot, Message, User

from noctule.channels.telegram.base.access import AccessControl
from noctule.channels.telegram.base.callback_tokens import Signer
from noctule.channels.telegram.base.typing_indicator import TypingIndicator
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.outbox import Outbox
from noctule.channels.telegram.delivery.throttle import Pace
from noctule.channels.telegram.inbound.update_reader import (
    EDITED,
    SAID,
    is_from_others,
    read_update,
    words_of,
)
from noctule.core.messaging.chats import Chat
from noctule.core.messaging.messages import OutboxMessage
from noctule.core.settings import TelegramSettings

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.channels.telegram.base.subscriptions import Subscriptions


_TALKS = "talks"
"""Under which setting of a chat the sessions of those are who did not open it, by owner."""


@dataclass(frozen=True, slots=True)
class BotContext:
    """What everybody in this channel works with.

    Args:
        records: the configuration, the database, the desk, the events, the clock, the zone.
        bot: calls the Bot API within its limits.
        quick: calls it without waiting for anybody: only for signs of life and answers to presses.
        me: the bot itself.
        outbox: whatever is to arrive for certain goes through it.
        pace: how often one chat may be written to.
        gate: who may talk.
        signer: makes buttons.
        signs: shows that somebody is at work.
        watching: tells chats of their sessions.
    """

    records: "Records"
    bot: Bot
    quick: Bot
    me: Callable[[], User]
    outbox: Outbox
    pace: Pace
    gate: AccessControl
    signer: Signer
    signs: TypingIndicator
    watching: "Subscriptions" = field(repr=False)

    @property
    def settings(self) -> TelegramSettings:
        """The channel's own part of the configuration."""
        return self.records.settings.telegram

    async def chat(self, place: ChatRef, owner: str) -> Chat:
        """Return a chat as it is stored, or a new one."""
        async with self.records.database.read() as work:
            known = await work.chats.get(CHANNEL, str(place))
        return known or Chat(CHANNEL, str(place), owner)


def session_in(chat: Chat, owner: str) -> str | None:
    """Return the session that what a person says in a chat goes to; None when it begins one.

    In a group everybody has a session of their own: what one may do, another may not.
    """
    if owner == chat.owner:
        return chat.session_id
    found: str | None = chat.settings.get(_TALKS, {}).get(owner)
    return found


def going_on(chat: Chat, owner: str, session_id: str | None) -> Chat:
    """Return a chat in which what a person says goes to a session from now on."""
    if owner == chat.owner:
        return replace(chat, session_id=session_id)
    talks = {**chat.settings.get(_TALKS, {}), owner: session_id}
    return replace(chat, settings={**chat.settings, _TALKS: talks})


@dataclass(frozen=True, slots=True)
class MessagePart:
    """One message of Telegram, which may be a part of what a person said.

    Args:
        message: as Telegram sent it.
        words: its text, its caption or its rich text; "" when it has none.
        of_others: whether the words are somebody else's, like a forward's: they order nothing.
        raw: the JSON it came as.
    """

    message: Message
    words: str
    of_others: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, payload: Mapping[str, Any], bot: Bot) -> "MessagePart | None":
        """Return the message of an update; None when it has none.

        Raises:
            UnreadableError: it cannot be read.
        """
        update = read_update(payload, bot)
        message = None if update is None else update.message or update.edited_message
        if message is None:
            return None
        raw = payload[SAID if SAID in payload else EDITED]
        return cls(message, words_of(raw), is_from_others(raw), raw)


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """What a person who may talk said: one message, or several that belong together.

    Args:
        number: of its update; keys of what comes of it are made from it.
        place: where.
        person: who.
        owner: whose sessions theirs are.
        text: their own words, without the command or the mention of the bot; "" when all of it is
            somebody else's.
        parts: what it came in, in order; at least one.
        answers: the message of ours it replies to; None when it replies to none.
        edited: whether it is a change of an earlier message.
    """

    number: int
    place: ChatRef
    person: int
    owner: str
    text: str
    parts: tuple[MessagePart, ...]
    answers: OutboxMessage | None = None
    edited: bool = False

    @property
    def message(self) -> Message:
        """The first message of it."""
        return self.parts[0].message

    @property
    def of_others(self) -> bool:
        """Whether none of it is the person's own: it orders nothing and answers nothing."""
        return all(part.of_others for part in self.parts)

    @property
    def origin(self) -> str:
        """What the turn it becomes is known by."""
        return f"{CHANNEL}:{self.place.chat}:{self.message.message_id}"

    def key(self, what: str) -> str:
        """Return the key of something that is sent because of it; once, whatever happens."""
        return f"update:{self.place.chat}:{self.number}:{what}"


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """One press on a button of ours.

    Args:
        number: of its update.
        place: where.
        person: who.
        owner: whose sessions theirs are.
        argument: what the button carries.
        query_id: what the answer to the press goes to.
        message_id: the message the button is under.
        under: that message as we sent it; None when it is no longer known.
    """

    number: int
    place: ChatRef
    person: int
    owner: str
    argument: str
    query_id: str
    message_id: int
    under: OutboxMessage | None = None
