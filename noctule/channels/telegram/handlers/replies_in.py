"""Remarks: what people say in reply to messages of ours that wait for it.

A reply to a question answers it; a reply to a status message steers the work, or goes on with it
when it has ended.
"""

from noctule.channels.telegram.base.context import BotContext, IncomingMessage, session_in
from noctule.channels.telegram.base.error_text import error_text
from noctule.channels.telegram.base.ownership import own_session
from noctule.channels.telegram.delivery.chat_ref import CHANNEL
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.channels.telegram.views import questions
from noctule.core.errors import UsageError
from noctule.core.llm.events import EventKind
from noctule.core.messaging.chats import WatchKind
from noctule.core.sessions.sessions import SessionKind
from noctule.sessions.service.service import Request
from noctule.sessions.service.steering import steer
from noctule.sessions.service.validation import check_text

_WORK = frozenset({"status", "card"})
_STEERED = "Noted; it will see this before its next step."
_GOES_ON = "It had finished, so this starts its next task."


async def taken(bot: BotContext, said: IncomingMessage) -> bool:
    """Deal with a reply to a question or a status message; return whether it was one."""
    try:
        return await _taken(bot, said)
    except UsageError as error:
        body = plain(error_text(error), reply_to=said.message.message_id)
        await bot.outbox.post(OutgoingMessage(said.place, said.key("refused"), "answer", body))
        return True


async def _taken(bot: BotContext, said: IncomingMessage) -> bool:
    if said.edited or not said.text:
        return False
    if await questions.replied(bot, said):
        return True
    about = said.answers
    if about is None or about.purpose not in _WORK or about.session_id is None:
        return False
    chat = await bot.chat(said.place, said.owner)
    if about.session_id == session_in(chat, said.owner):
        return False  # a card of this conversation: what is said goes on with it
    await own_session(bot, about.session_id, said.owner)
    if not await _steered(bot, said, str(about.turn_id)):
        await _continued(bot, said, about.session_id)
    return True


async def _steered(bot: BotContext, said: IncomingMessage, turn_id: str) -> bool:
    """Store a remark with the sentence that says so, once; False when the turn has ended."""
    records, key = bot.records, said.key("steered")
    check_text(said.text, "remark", records.settings)
    async with records.database.work() as work:
        if await work.outbox.by_key(CHANNEL, key) is not None:
            return True  # the same message, handled a second time
        turn = await work.turns.get(turn_id)
        if turn.status.finished:
            return False
        await steer(work, records.clock, turn_id, said.text, by=said.owner)
        body = plain(_STEERED, reply_to=said.message.message_id)
        await bot.outbox.store(
            work, [OutgoingMessage(said.place, key, "answer", body, silent=True)]
        )
        await work.commit()
    bot.outbox.wake(str(said.place))
    return True


async def _continued(bot: BotContext, said: IncomingMessage, session_id: str) -> None:
    """Give the session of ended work its next task."""
    records = bot.records
    turn = await records.service.submit(
        Request(
            text=said.text,
            kind=SessionKind.RUN,
            session_id=session_id,
            owner=said.owner,
            origin=said.origin,
        )
    )
    async with records.database.read() as work:
        queued = await work.events.of_turn(turn.id, [EventKind.TURN_QUEUED])
    after = min((event.seq for event in queued), default=1) - 1
    body = plain(_GOES_ON, reply_to=said.message.message_id)
    await bot.outbox.post(
        OutgoingMessage(said.place, said.key("continued"), "answer", body, silent=True)
    )
    await bot.watching.watch(said.place, turn.session_id, WatchKind.WORK, after=after)
