"""``/status`` and ``/sessions``: what there is, how far it has come, and going back to it."""

from noctule.channels.telegram.base.amounts import shown_cost
from noctule.channels.telegram.base.context import (
    BotContext,
    ButtonPress,
    IncomingMessage,
    going_on,
    session_in,
)
from noctule.channels.telegram.base.hours import hour
from noctule.channels.telegram.base.ownership import own_session
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.commands.command import Command, answer
from noctule.channels.telegram.commands.running import underway
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.markdown import bare
from noctule.channels.telegram.delivery.outgoing import Button, OutgoingMessage, plain
from noctule.core.llm.spending import total_usd
from noctule.core.messaging.chats import WatchKind
from noctule.core.messaging.messages import OutgoingKind
from noctule.core.ports.database import UnitOfWork
from noctule.core.reports.overview import Overview, standing_turn
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Session

SWITCH, PAGE = "switch", "page"

_PER_PAGE = 8
_LABEL_CHARS = 40
_WORDS = {
    Status.QUEUED: "queued",
    Status.RUNNING: "running",
    Status.PARKED: "parked",
    Status.WAITING: "waiting for you",
    Status.DONE: "done",
    Status.FAILED: "failed",
    Status.CANCELLED: "stopped",
}


def commands() -> tuple[Command, ...]:
    """Return the commands of this file."""
    return (
        Command(
            "status",
            "what is happening here",
            "",
            "Lists what is running, parked and waiting for you in this chat, with its cost.",
            _status,
        ),
        Command(
            "sessions",
            "your sessions; switch to another",
            "",
            "Lists your conversations and tasks, newest first. Tap one to continue it here: your "
            "next message belongs to it.",
            _sessions,
        ),
    )


async def _status(bot: BotContext, said: IncomingMessage) -> None:
    wants = await Preferences.read(bot, said.place)
    now = bot.records.clock.now()
    here = await underway(bot, said.place, said.owner)
    lines = []
    async with bot.records.database.read() as work:
        for one in here:
            seen = await overview(work, one.session)
            wake = f" until {hour(seen.wake_at, wants.zone, now)}" if seen.wake_at else ""
            asks = await work.questions.open(session_id=one.session.id)
            asked = f", asks you {len(asks)} question{'s' * (len(asks) > 1)}" if asks else ""
            state = f"{_WORDS[one.turn.status]}{wake}{asked}"
            title = bare(one.session.title or "(untitled)")
            lines.append(f"• **{title}**: {state}, {shown_cost(seen.cost_usd)} so far")
        chat = await work.chats.get(CHANNEL, str(said.place))
        current = None
        talks = None if chat is None else session_in(chat, said.owner)
        if talks is not None:
            current = await work.sessions.get(talks)
            current = current if current.owner == said.owner else None
    if not lines:
        lines.append("Nothing is running or parked here.")
    if current is not None:
        private = ", private" if current.private or wants.private else ""
        lines.append(f"\nThis chat continues: {bare(current.title or '(untitled)')}{private}.")
    await answer(bot, said, "\n".join(lines))


async def _sessions(bot: BotContext, said: IncomingMessage) -> None:
    body = await _page(bot, said.place, said.owner, 0)
    await bot.outbox.post(OutgoingMessage(said.place, said.key("sessions"), "answer", body))


async def overview(work: UnitOfWork, session: Session) -> Overview:
    """Return a session at a glance."""
    turns = await work.turns.of_session(session.id)
    attempts = await work.attempts.list(session_id=session.id)
    return Overview(session, standing_turn(turns), len(turns), total_usd(attempts))


async def switch(bot: BotContext, press: ButtonPress) -> str | None:
    """Make a chat go on with a session."""
    session = await own_session(bot, press.argument, press.owner)
    chat = await bot.chat(press.place, press.owner)
    async with bot.records.database.work() as work:
        await work.chats.put(going_on(chat, press.owner, session.id))
        await work.commit()
    async with bot.records.database.read() as work:
        after = await work.events.last_seq(session.id)
        watches = await work.chats.watches(CHANNEL, place=str(press.place))
    if session.id not in {watch.session_id for watch in watches}:
        await bot.watching.watch(press.place, session.id, WatchKind.TALK, after=after)
    body = plain(f"Your next message continues: {session.title or '(untitled)'}")
    key = f"press:{press.place.chat}:{press.number}:switch"
    await bot.outbox.post(OutgoingMessage(press.place, key, "answer", body))
    return None


async def page(bot: BotContext, press: ButtonPress) -> str | None:
    """Show another page of the list."""
    if press.under is None:
        return "Ask again with /sessions."
    body = await _page(bot, press.place, press.owner, int(press.argument))
    edit = OutgoingMessage(
        press.place,
        f"{press.under.key}:page",
        "answer",
        body,
        kind=OutgoingKind.EDIT,
        edits=press.under.key,
    )
    await bot.outbox.post(edit)
    return None


async def _page(bot: BotContext, place: ChatRef, owner: str, first: int) -> dict[str, object]:
    wants = await Preferences.read(bot, place)
    now = bot.records.clock.now()
    async with bot.records.database.read() as work:
        sessions = await work.sessions.list(owner=owner, limit=first + _PER_PAGE + 1)
        shown = [await overview(work, s) for s in sessions[first : first + _PER_PAGE]]
    if not shown:
        return plain("No sessions yet. Write me something, or start a task with /run.")
    lines, buttons = [], []
    for number, one in enumerate(shown, first + 1):
        title = one.session.title or "(untitled)"
        status = "empty" if one.status is None else _WORDS[one.status]
        until = f" until {hour(one.wake_at, wants.zone, now)}" if one.wake_at else ""
        begun = hour(one.session.created_at, wants.zone, now)
        lines.append(
            f"{number}. {title}\n    {begun} · {status}{until} · {shown_cost(one.cost_usd)}"
        )
        label = f"{number}. {title}"[:_LABEL_CHARS]
        buttons.append([bot.signer.button(place, label, SWITCH, one.session.id)])
    buttons.append(_turning(bot, place, first, more=len(sessions) > first + _PER_PAGE))
    return plain("\n".join(lines), buttons=[row for row in buttons if row])


def _turning(bot: BotContext, place: ChatRef, first: int, *, more: bool) -> list[Button]:
    row = []
    if first:
        row.append(bot.signer.button(place, "← newer", PAGE, str(max(0, first - _PER_PAGE))))
    if more:
        row.append(bot.signer.button(place, "older →", PAGE, str(first + _PER_PAGE)))
    return row
