"""Morning: the first message of a day is preceded by what the night brought."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from noctule.channels.telegram.base.amounts import shown_cost
from noctule.channels.telegram.base.context import BotContext, IncomingMessage
from noctule.channels.telegram.base.headlines import headline
from noctule.channels.telegram.base.hours import hour
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.outgoing import Button, OutgoingMessage, plain
from noctule.channels.telegram.views.questions import answer_buttons
from noctule.core.errors import NoctuleError
from noctule.core.messaging.chats import Chat
from noctule.core.ports.database import UnitOfWork
from noctule.core.reports.daily_digest import MorningReport, NightWork, is_new_day, morning_report
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import QuestionKind
from noctule.core.sessions.sessions import LOCAL_OWNER, Session
from noctule.core.sessions.suspensions import lost
from noctule.core.times.durations import show_duration

_LOG = logging.getLogger(__name__)

_MOST = 15
_WHY_CHARS = 160
_MOST_ASKED = 3


AT = "morning"
"""Under which key a chat's settings say when its report is sent without being asked for."""

_STILL_MORNING = timedelta(hours=3)
_EVERY_S = 60.0


async def before(bot: BotContext, said: IncomingMessage, chat: Chat) -> list[OutgoingMessage]:
    """Return what a chat is told before the first answer of the day; nothing on other days."""
    if not said.place.is_private:
        return []
    wants = Preferences.of(bot, chat.settings)
    today = _key(said.place, bot.records.clock.now().astimezone(wants.zone).date())
    async with bot.records.database.read() as work:
        if await work.outbox.by_key(CHANNEL, today) is not None:
            return []  # it was sent by itself
    return await _report(bot, said.place, chat, said.key("morning"))


class Mornings:
    """Sends the report of a night at the time a chat has chosen.

    Args:
        bot: what everybody works with.
    """

    def __init__(self, bot: BotContext) -> None:
        self._bot = bot
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look at the clock."""
        self._task = asyncio.create_task(self._again_and_again())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Send the reports whose time has come, each once."""
        async with self._bot.records.database.read() as work:
            chats = await work.chats.everywhere(CHANNEL)
        for chat in chats:
            if chat.settings.get(AT) and ChatRef.parse(chat.place).is_private:
                await self._send(chat, str(chat.settings[AT]))

    async def _again_and_again(self) -> None:
        while True:
            await self._bot.records.clock.sleep(_EVERY_S)
            try:
                await self.look()
            except NoctuleError as error:
                _LOG.warning("reports of the morning are sent later: %s", error)

    async def _send(self, chat: Chat, at: str) -> None:
        place = ChatRef.parse(chat.place)
        wants = Preferences.of(self._bot, chat.settings)
        now = self._bot.records.clock.now().astimezone(wants.zone)
        due = datetime.combine(now.date(), time.fromisoformat(at), tzinfo=wants.zone)
        if not due <= now < due + _STILL_MORNING:
            return
        if chat.heard_at is None or chat.heard_at >= due:
            return  # they were here already, and told then
        await self._bot.outbox.post(*await _report(self._bot, place, chat, _key(place, now.date())))


def _key(place: ChatRef, day: date) -> str:
    return f"morning:{place}:{day.isoformat()}"


async def _report(bot: BotContext, place: ChatRef, chat: Chat, key: str) -> list[OutgoingMessage]:
    records = bot.records
    wants = Preferences.of(bot, chat.settings)
    now = records.clock.now()
    if chat.heard_at is None or not is_new_day(chat.heard_at, now, wants.zone):
        return []
    async with records.database.read() as work:
        attempts = await work.attempts.list(since=chat.heard_at)
        asked = {attempt.session_id for attempt in attempts if attempt.session_id is not None}
        sessions = await _sessions(work, asked, chat.owner)
        report = morning_report(
            heard_at=chat.heard_at,
            now=now,
            zone=wants.zone,
            sessions=sessions,
            turns={session.id: await work.turns.of_session(session.id) for session in sessions},
            attempts=attempts,
            questions=await work.questions.open(owner=chat.owner),
        )
        slept = await work.suspensions.since(chat.heard_at)
    if report is None:
        return []
    report = replace(report, slept=tuple(slept))
    text = "\n".join(_lines(report, wants, bot))
    body = plain(text, buttons=_buttons(bot, place, chat.owner, report))
    return [OutgoingMessage(place, key, "report", body)]


def _buttons(
    bot: BotContext, place: ChatRef, owner: str, report: MorningReport
) -> list[list[Button]]:
    """Return what the questions of a report can be answered with, if the person may."""
    asked = [question for work in report.works for question in work.questions]
    if owner != LOCAL_OWNER:
        asked = [question for question in asked if question.kind is QuestionKind.QUESTION]
    shown = [question for question in asked if question.choices][:_MOST_ASKED]
    return [
        row
        for number, question in enumerate(shown, 1)
        for row in answer_buttons(
            bot, place, question, before=f"{number}: " if len(shown) > 1 else ""
        )
    ]


async def _sessions(work: UnitOfWork, asked: set[str], owner: str) -> list[Session]:
    unfinished = {turn.session_id for turn in await work.turns.unfinished()}
    found = [await work.sessions.get(name) for name in sorted(asked | unfinished)]
    return [session for session in found if session.owner == owner]


def _lines(report: MorningReport, wants: Preferences, bot: BotContext) -> Iterator[str]:
    now = bot.records.clock.now()
    yield f"🌅 Good morning. Since {hour(report.since, wants.zone, now)}:"
    if report.slept:
        first, last = report.slept[0].began_at, report.slept[-1].ended_at
        times = "" if len(report.slept) == 1 else f", {len(report.slept)} times"
        yield (
            f"😴 The machine itself slept between {hour(first, wants.zone, now)} and "
            f"{hour(last, wants.zone, now)}{times}: no work was done for "
            f"{show_duration(lost(report.slept).total_seconds())}."
        )
    for work in report.works[:_MOST]:
        title = headline(work.turn)
        yield f"{_sign(work)} {title}: {_state(work, wants, bot)}, {shown_cost(work.cost_usd)}"
        for question in work.questions:
            yield f"    ❓ {_short(question.shown)}"
    if len(report.works) > _MOST:
        yield f"… and {len(report.works) - _MOST} more: /sessions"
    yield f"Total: {shown_cost(report.cost_usd)}."


def _sign(work: NightWork) -> str:
    return {
        Status.DONE: "✅",
        Status.FAILED: "⚠️",
        Status.CANCELLED: "⏹",
        Status.PARKED: "💤",
        Status.WAITING: "❓",
    }.get(work.turn.status, "⚙️")


def _state(work: NightWork, wants: Preferences, bot: BotContext) -> str:
    turn, now = work.turn, bot.records.clock.now()
    ended = "" if turn.ended_at is None else f" {hour(turn.ended_at, wants.zone, now)}"
    wakes = None if turn.wake_at is None else hour(turn.wake_at, wants.zone, now)
    return {
        Status.DONE: f"done{ended}",
        Status.FAILED: f"failed{ended} ({_short(turn.error or 'no reason is known')})",
        Status.CANCELLED: f"stopped{ended}",
        Status.PARKED: f"parked until {wakes}" if wakes else "parked by hand, /resume continues it",
        Status.WAITING: "needs an answer" if work.questions else "needs you, /resume continues it",
        Status.RUNNING: "at work",
        Status.QUEUED: f"starts {wakes}" if wakes else "queued",
    }[turn.status]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WHY_CHARS else f"{line[: _WHY_CHARS - 1]}…"
