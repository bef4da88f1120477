"""Dispatches updates: whose is it, what is it, and which handler takes it."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from telegram import (
    CallbackQuery,
    Message,
    MessageEntity,
    MessageReactionUpdated,
    ReactionTypeEmoji,
    User,
)
from telegram.error import TelegramError

from noctule.channels.telegram.base.access import UnknownUser
from noctule.channels.telegram.base.context import (
    BotContext,
    ButtonPress,
    IncomingMessage,
    MessagePart,
)
from noctule.channels.telegram.base.error_text import error_text
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.channels.telegram.inbound.bundles import joined_text
from noctule.channels.telegram.inbound.inbox import place_of
from noctule.channels.telegram.inbound.raw_updates import UnreadableError
from noctule.channels.telegram.inbound.update_reader import read_update
from noctule.channels.telegram.views import feedback
from noctule.core.errors import NoctuleError
from noctule.core.messaging.messages import InboxUpdate, OutboxMessage

_LOG = logging.getLogger(__name__)

OnMessage = Callable[[BotContext, IncomingMessage], Awaitable[None]]
OnCommand = Callable[[BotContext, IncomingMessage], Awaitable[None]]
OnPress = Callable[[BotContext, ButtonPress], Awaitable[str | None]]
"""Deals with a press; returns a few words shown over the chat, or None for nothing."""

_NAME = re.compile(r"\w{1,32}", re.ASCII)
_REFUSAL_EVERY = timedelta(hours=1)
_PRESS_TOO_OLD = "This button has expired."
_NOT_YOURS = "Only my owner can use this button."


class UpdateDispatcher:
    """Deals with updates.

    Args:
        bot: what everybody works with.
        on_message: deals with what people say.
        commands: what deals with each command, by its name without the slash.
        presses: what deals with each button, by its verb.
        heads_only: the verbs that only the owner of the data folder may press.
    """

    def __init__(
        self,
        bot: BotContext,
        *,
        on_message: OnMessage,
        commands: Mapping[str, OnCommand],
        presses: Mapping[str, OnPress],
        heads_only: frozenset[str],
    ) -> None:
        self._bot = bot
        self._on_message = on_message
        self._commands = commands
        self._presses = presses
        self._heads_only = heads_only

    def glance(self, payload: Mapping[str, Any]) -> None:
        """Give the first sign of life to somebody who may talk, before anything is stored."""
        place = place_of(payload) if "message" in payload else ""
        if place and self._is_ours(payload) and ChatRef.parse(place).is_private:
            self._bot.signs.give(ChatRef.parse(place))

    async def deal(self, updates: Sequence[InboxUpdate]) -> None:
        """Deal with one update, or with several that are one thing somebody said.

        May be called again for the same ones after a kill.
        """
        incoming = updates[0]
        update = read_update(incoming.payload, self._bot.bot)
        if update is None:
            return
        message = update.message or update.edited_message
        if update.callback_query is not None:
            await self._press(incoming.number, update.callback_query)
        elif update.message_reaction is not None:
            await self._reaction(update.message_reaction)
        elif message is not None and message.migrate_to_chat_id is not None:
            await self._move(message.chat.id, message.migrate_to_chat_id)
        elif message is not None and message.migrate_from_chat_id is not None:
            await self._move(message.migrate_from_chat_id, message.chat.id)
        elif message is not None and message.from_user is not None:
            parts = [part for one in updates if (part := self._part(one)) is not None]
            edited = update.edited_message is not None
            await self._message(incoming.number, message.from_user, tuple(parts), edited=edited)

    async def _reaction(self, reaction: MessageReactionUpdated) -> None:
        person = reaction.user
        owner = None if person is None else self._bot.gate.owner_of(person.id)
        under = await self._ours(ChatRef(reaction.chat.id), reaction.message_id)
        if owner is None or under is None:
            return
        emoji = [one.emoji for one in reaction.new_reaction if isinstance(one, ReactionTypeEmoji)]
        await feedback.reacted(self._bot, owner, under, emoji)

    async def gave_up(self, incoming: InboxUpdate, why: str) -> None:
        """Tell a person that their message came to nothing."""
        if not incoming.place or not self._is_ours(incoming.payload):
            return
        place = ChatRef.parse(incoming.place)
        sentence = f"I couldn't process your message: {why} Please send it again."
        key = f"update:{place.chat}:{incoming.number}:gave-up"
        await self._bot.outbox.post(OutgoingMessage(place, key, "notice", plain(sentence)))

    def _is_ours(self, payload: Mapping[str, Any]) -> bool:
        """Whether an update is a message of somebody who may talk."""
        message = payload.get("message") or payload.get("edited_message")
        sender = message.get("from") if isinstance(message, Mapping) else None
        person = sender.get("id") if isinstance(sender, Mapping) else None
        return isinstance(person, int) and self._bot.gate.owner_of(person) is not None

    async def _move(self, group: int, to: int) -> None:
        if self._bot.gate.answers_in(ChatRef(group)):
            await self._bot.outbox.move(ChatRef(group), ChatRef(to))

    def _part(self, incoming: InboxUpdate) -> MessagePart | None:
        """Return a part of what was said; None when it cannot be read: the others still can."""
        try:
            return MessagePart.read(incoming.payload, self._bot.bot)
        except UnreadableError as unreadable:
            _LOG.warning("a part (%d) cannot be read: %s", incoming.number, unreadable)
            return None

    async def _message(
        self, number: int, user: User, parts: tuple[MessagePart, ...], *, edited: bool
    ) -> None:
        message = parts[0].message
        place = _place_of(message)
        if user.is_bot or not self._bot.gate.answers_in(place):
            return
        own = [part for part in parts if not part.of_others]
        text = joined_text([part.words for part in own if part.words])
        if not place.is_private and not any(self._is_for_us(part) for part in own):
            return
        owner = self._bot.gate.owner_of(user.id)
        if owner is None:
            if place.is_private:
                await self._refuse(number, UnknownUser(user.id, place, user.full_name, text))
            return
        if not place.is_private:  # there it was given at a glance
            self._bot.signs.give(place)
        said = IncomingMessage(
            number=number,
            place=place,
            person=user.id,
            owner=owner,
            text=self._without_mention(text),
            parts=parts,
            answers=await self._answered(place, message),
            edited=edited,
        )
        self._bot.gate.meet(user.id, user.full_name)
        name, rest = _command(text, self._bot.me().username)
        command = self._commands.get(name) if name else None
        if name is None or edited:
            await self._on_message(self._bot, said)
        elif command is None:
            await self._bot.outbox.post(_unknown(said, name, list(self._commands)))
        else:
            await command(self._bot, replace(said, text=rest))

    async def _press(self, number: int, query: CallbackQuery) -> None:
        message = query.message
        if message is None:
            return
        topic = getattr(message, "message_thread_id", None)
        in_topic = getattr(message, "is_topic_message", False)
        place = ChatRef(message.chat.id, topic if in_topic else None)
        told = await self._pressed(number, query, place, message.message_id)
        with suppress(TelegramError):  # the press is done, only its little sign has expired
            await self._bot.quick.answer_callback_query(query.id, text=told)

    async def _pressed(
        self, number: int, query: CallbackQuery, place: ChatRef, message_id: int
    ) -> str | None:
        owner = self._bot.gate.owner_of(query.from_user.id)
        if owner is None:
            return _NOT_YOURS
        pressed = self._bot.signer.read(place, query.data or "")
        deal = self._presses.get(pressed.verb) if pressed is not None else None
        if pressed is None or deal is None:
            return _PRESS_TOO_OLD
        if pressed.verb in self._heads_only and not self._bot.gate.is_head(query.from_user.id):
            return _NOT_YOURS
        press = ButtonPress(
            number=number,
            place=place,
            person=query.from_user.id,
            owner=owner,
            argument=pressed.argument,
            query_id=query.id,
            message_id=message_id,
            under=await self._ours(place, message_id),
        )
        try:
            return await deal(self._bot, press)
        except NoctuleError as error:
            return _short(error_text(error))

    async def _refuse(self, number: int, stranger: UnknownUser) -> None:
        heard = await self._bot.gate.knock(stranger)
        chat = stranger.place.chat
        if heard.in_reply:
            key = f"update:{chat}:{number}:code"
        elif await self._refused_lately(chat):
            return
        else:
            key = f"refusal:{chat}:{self._hour}"
        await self._bot.outbox.post(
            OutgoingMessage(stranger.place, key, "refusal", plain(heard.told))
        )

    @property
    def _hour(self) -> int:
        return int(self._bot.records.clock.now().timestamp() // _REFUSAL_EVERY.total_seconds())

    async def _refused_lately(self, chat: int) -> bool:
        """Whether somebody was refused within the hour, across its full strokes and restarts."""
        async with self._bot.records.database.read() as work:
            keys = (f"refusal:{chat}:{self._hour - past}" for past in range(2))
            found = [await work.outbox.by_key(CHANNEL, key) for key in keys]
        since = self._bot.records.clock.now() - _REFUSAL_EVERY
        return any(letter is not None and letter.created_at > since for letter in found)

    async def _answered(self, place: ChatRef, message: Message) -> OutboxMessage | None:
        replied = message.reply_to_message
        return None if replied is None else await self._ours(place, replied.message_id)

    async def _ours(self, place: ChatRef, message_id: int) -> OutboxMessage | None:
        async with self._bot.records.database.read() as work:
            return await work.outbox.by_message(CHANNEL, str(place), str(message_id))

    def _is_for_us(self, part: MessagePart) -> bool:
        """Whether a message in a group mentions the bot, commands it or answers it."""
        me, message = self._bot.me(), part.message
        replied = message.reply_to_message
        if replied is not None and replied.from_user is not None and replied.from_user.id == me.id:
            return True
        name, _ = _command(part.words, me.username)
        mention = f"@{me.username}".lower()
        texts = message.parse_entities([MessageEntity.MENTION, MessageEntity.TEXT_MENTION])
        captions = message.parse_caption_entities([MessageEntity.MENTION])
        mentioned = any(text.lower() == mention for text in (*texts.values(), *captions.values()))
        return mentioned or (name is not None and name in self._commands)

    def _without_mention(self, text: str) -> str:
        mention = rf"@{re.escape(self._bot.me().username or '')}\b"
        shorter, found = re.subn(mention, "", text, flags=re.IGNORECASE)
        return shorter.strip() if found else text


def _place_of(message: Message) -> ChatRef:
    """Return where a message was said."""
    topic = message.message_thread_id if message.is_topic_message else None
    return ChatRef(message.chat.id, topic)


def _command(text: str, username: str | None) -> tuple[str | None, str]:
    """Return the command a text begins with, and what follows it; None when it has none."""
    if not text.startswith("/"):
        return None, text
    word, _, rest = text.partition(" ")
    if "\n" in word:
        word, _, first = word.partition("\n")
        rest = f"{first} {rest}"
    name, _, whose = word[1:].partition("@")
    if whose and username and whose.lower() != username.lower():
        return None, text
    if not _NAME.fullmatch(name):
        return None, text  # a path, or something else that begins with a slash
    return name.lower(), rest.strip()


def _unknown(said: IncomingMessage, name: str, known: Sequence[str]) -> OutgoingMessage:
    """Return the answer to a command there is not: a slip costs no call of a model."""
    close = get_close_matches(name, known, n=2, cutoff=0.6)
    meant = f" Did you mean {' or '.join(f'/{one}' for one in close)}?" if close else ""
    told = (
        f"There is no command /{name}.{meant} /help lists them all. If it was meant for a model, "
        "start with another word."
    )
    return OutgoingMessage(said.place, said.key("unknown"), "answer", plain(told))


def _short(text: str, most: int = 190) -> str:
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " …"
