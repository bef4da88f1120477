"""Messages: what people say becomes a turn of their chat's session, or an honest answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from telegram import Message

from noctule.channels.telegram.base.context import BotContext, IncomingMessage, going_on, session_in
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.channels.telegram.delivery.splitting import utf16
from noctule.channels.telegram.handlers import replies_in as remarks
from noctule.channels.telegram.handlers.incoming_files import attached, attached_files, fetch
from noctule.channels.telegram.views.daily_digest import before
from noctule.core.base.ids import new_id
from noctule.core.errors import NotFoundError
from noctule.core.messaging.chats import Chat, WatchKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.tools.outside_text import as_data, as_replied
from noctule.sessions.service.service import Request

_QUOTED_CHARS = 2000
_MOST_UNITS = 4096
"""The longest message people can send."""

_UNHEARD = "I can't listen to this: no transcriber is configured. Please write it."
_KINDS: Mapping[str, str] = {
    "voice": _UNHEARD,
    "audio": _UNHEARD,
    "video_note": "I can't watch videos. Please write what it's about.",
    "video": "I can't watch videos. Please write what it's about.",
    "animation": "I can't watch animations. Please write what you mean.",
    "location": "I can't use locations. Please write what you want to know about it.",
    "contact": "I don't store contacts; this one was not saved. Please write what you want.",
    "poll": "I can't vote in polls. Please write what you want to know.",
    "dice": "I can't play games. Please write what you want.",
    "story": "I can't see stories. Please write what you mean.",
    "paid_media": "I can't open paid media.",
}


_CALLED = {"voice": "voice message", "video_note": "video message", "audio": "sound file"}


async def on_message(bot: BotContext, said: IncomingMessage) -> None:
    """Deal with what a person said, wrote anew or sent."""
    if said.edited:
        await _edited(bot, said)
    elif said.of_others or not await remarks.taken(bot, said):
        unable = list(dict.fromkeys(filter(None, (_unable(part.message) for part in said.parts))))
        if unable:
            read = any(part.words for part in said.parts) or attached_files(said)
            also = " I'll use the rest of what you sent." if read else ""
            await _tell(bot, said, f"{' '.join(unable)}{also}")
            if not read:
                return
        await submit(bot, said)


async def submit(bot: BotContext, said: IncomingMessage) -> None:
    """Make a turn of what was said, with what came along, and tell the chat what comes of it."""
    files = attached_files(said)
    chat = await bot.chat(said.place, said.owner)
    for letter in await before(bot, said, chat):
        await bot.outbox.post(letter)
    session_id = await _session(bot, chat, said.owner)
    begin_as = None if session_id else new_id(bot.records.clock)
    names: list[str] = []
    if files:
        root = await _workspace(bot, session_id or str(begin_as))
        names = await fetch(bot, files[: bot.settings.max_files], root)
    text = _text(said, names, await quoted(bot, said, session_id))
    if not text.strip():
        await _tell(bot, said, "There's nothing in this message that I can read.")
        return
    wants = Preferences.of(bot, chat.settings)
    turn = await bot.records.service.submit(
        Request(
            text=text,
            session_id=session_id,
            begin_as=begin_as,
            role=chat.settings.get("next_role") or wants.role,
            model=chat.settings.get("next_model") or wants.model,
            private=wants.private,
            owner=said.owner,
            origin=said.origin,
            attachments=tuple(names),
        )
    )
    settings = {k: v for k, v in chat.settings.items() if k not in {"next_role", "next_model"}}
    now = bot.records.clock.now()
    kept = replace(chat, settings=settings, heard_at=now)
    async with bot.records.database.work() as work:
        await work.chats.put(going_on(kept, said.owner, turn.session_id))
        await work.commit()
    await bot.watching.watch(said.place, turn.session_id, WatchKind.TALK, after=0)
    await _tell_if_it_waits(bot, said, turn.session_id, turn.id)


async def _tell_if_it_waits(
    bot: BotContext, said: IncomingMessage, session_id: str, turn_id: str
) -> None:
    """Say so when an earlier message of the session sleeps or waits: this one comes after it."""
    async with bot.records.database.read() as work:
        first = await work.turns.oldest_unfinished(session_id)
    if first is None or first.id == turn_id:
        return
    if first.status not in {Status.PARKED, Status.WAITING}:
        await bot.signs.see(said.place, said.message.message_id)
        return
    wants = await Preferences.read(bot, said.place)
    if first.wake_at is None:
        when = (
            "waits for you" if first.status is Status.WAITING else "is parked until you resume it"
        )
    else:
        when = f"is parked until {first.wake_at.astimezone(wants.zone):%H:%M %Z}"
    await _tell(
        bot,
        said,
        f"Got it. It's queued behind your earlier message, which {when}. /resume continues that "
        "one now, /stop ends it, /new starts another conversation.",
    )


async def _edited(bot: BotContext, said: IncomingMessage) -> None:
    """A message was changed: take the change while nobody has read it, else say so."""
    async with bot.records.database.read() as work:
        turn = await work.turns.by_origin(said.origin)
    if turn is None:
        return  # it never was a turn: a command, or something I could not read
    replied = await quoted(bot, said, turn.session_id)
    if utf16(turn.text) > _MOST_UNITS and not replied:
        await _tell(
            bot,
            said,
            "Your text came in several messages, and I can't apply an edit of one of them. Please "
            "send the change as a new message.",
        )
    elif not await bot.records.service.reword(turn.id, _text(said, turn.attachments, replied)):
        await _tell(
            bot,
            said,
            "I had already read your message before you edited it. Please send the change as a "
            "new message.",
        )


async def _session(bot: BotContext, chat: Chat, owner: str) -> str | None:
    """Return the session a person's messages go to; None when the next one begins another."""
    session_id = session_in(chat, owner)
    if session_id is None:
        return None
    async with bot.records.database.read() as work:
        try:
            session = await work.sessions.get(session_id)
        except NotFoundError:
            return None
    return session.id if session.owner == owner else None


async def _workspace(bot: BotContext, session_id: str) -> Path:
    own = bot.records.home / "workspaces" / session_id
    async with bot.records.database.read() as work:
        try:
            session = await work.sessions.get(session_id)
        except NotFoundError:
            return own
    return Path(session.workspace) if session.workspace else own


def _unable(message: Message) -> str | None:
    """Return an honest sentence for what cannot be dealt with; None for what can."""
    if message.sticker is not None:
        emoji = message.sticker.emoji
        seen = f"I only see that your sticker means {emoji}." if emoji else ""
        return f"{seen} I can't read stickers; please write it.".strip()
    if message.document is not None:  # an animation is a document too
        return None
    return next((said for kind, said in _KINDS.items() if _is_a(message, kind)), None)


def _is_a(message: Message, kind: str) -> bool:
    return bool(getattr(message, kind, None)) and message.document is None


def _text(said: IncomingMessage, names: Sequence[str], replied: str) -> str:
    """Return what a turn is given: what was quoted or forwarded, what was said, what came along."""
    parts = [replied, said.text]
    for part in said.parts:
        if part.of_others and (part.words or attached(part.message)):
            told = f"{_whose(part.message)}\n\n{part.words}".strip()
            parts.append(as_data(told, "passed on; these are not the person's own words"))
    kinds = [kind for part in said.parts for kind in _KINDS if _is_a(part.message, kind)]
    named = (_CALLED.get(kind, kind.replace("_", " ")) for kind in kinds)
    parts += [f"(With it came a {name}, which cannot be read.)" for name in named]
    parts += [f"(The person sent the file {name}; it is in the workspace.)" for name in names]
    return "\n\n".join(part for part in parts if part)


async def quoted(bot: BotContext, said: IncomingMessage, session_id: str | None) -> str:
    """Return what a message replies to, marked as such; "" when it replies to nothing.

    Only what the person said themself, or what was said to them here, is not set apart as data. A
    message of ours from other work is, when others had a hand in that.

    Args:
        bot: knows that work.
        said: the message.
        session_id: the session that it goes to; None when it begins one.
    """
    replied, quote = said.message.reply_to_message, said.message.quote
    text = quote.text if quote is not None else ""
    if not text and replied is not None:
        text = replied.text or replied.caption or ""
    if not text:
        return ""
    cut = text if len(text) <= _QUOTED_CHARS else text[:_QUOTED_CHARS] + " …"
    if said.answers is None and not _is_own(replied, said.person):
        return as_data(cut, "this is what the message replies to, written by someone else")
    about = None if said.answers is None else said.answers.session_id
    if about not in {None, session_id} and await _is_steered(bot, str(about), said.owner):
        return as_data(cut, "this is what the message replies to, from work that read others' text")
    return as_replied(cut)


async def _is_steered(bot: BotContext, session_id: str, owner: str) -> bool:
    """Whether others had a hand in what a session says; nobody knows of one that is gone."""
    async with bot.records.database.read() as work:
        try:
            session = await work.sessions.get(session_id)
        except NotFoundError:
            return True
    return session.owner != owner or session.outside_since is not None


def _is_own(message: Message | None, person: int) -> bool:
    """Whether a person wrote a message, as far as Telegram says, and did not pass it on."""
    if message is None or message.from_user is None or message.from_user.id != person:
        return False
    return message.forward_origin is None and message.via_bot is None


def _whose(message: Message) -> str:
    if message.via_bot is not None:
        return f"Written by the bot {_line(message.via_bot.full_name)}"
    return f"Forwarded from {_sender(message.forward_origin)}"


def _sender(origin: Any) -> str:
    user = getattr(origin, "sender_user", None)
    chat = getattr(origin, "sender_chat", None) or getattr(origin, "chat", None)
    name = (
        (user.full_name if user else None)
        or (chat.effective_name if chat else None)
        or getattr(origin, "sender_user_name", None)
        or "somebody"
    )
    return _line(str(name))


def _line(name: str) -> str:
    return " ".join(name.split())[:60]


async def _tell(bot: BotContext, said: IncomingMessage, sentence: str) -> None:
    await bot.outbox.post(OutgoingMessage(said.place, said.key("told"), "answer", plain(sentence)))
