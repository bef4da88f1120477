"""Work: tells a chat of a session that works in the background.

One status message is changed in place while it works; what it comes to is a new message.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import tzinfo
from decimal import Decimal

from noctule.bootstrap import run_reports
from noctule.channels.telegram.base.amounts import shown_cost
from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.base.error_text import error_text
from noctule.channels.telegram.base.headlines import headline
from noctule.channels.telegram.base.hours import hour
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.base.subscriptions import ViewSender
from noctule.channels.telegram.delivery.chat_ref import CHANNEL
from noctule.channels.telegram.delivery.markdown import bare
from noctule.channels.telegram.delivery.outgoing import Button, OutgoingMessage, formatted, plain
from noctule.channels.telegram.views import cards, questions
from noctule.channels.telegram.views.replies import file_letters, made_files, reply_letters
from noctule.channels.telegram.views.run_progress import RunProgress
from noctule.core.errors import NoctuleError
from noctule.core.llm.events import Event, EventKind
from noctule.core.messaging.messages import OutgoingKind
from noctule.core.reports.run_report import RunReport
from noctule.core.sessions.consent import rule_of
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.core.times.durations import show_duration

STOP, PARK, LOG = "w-stop", "w-park", "w-log"

_PACES = ((120.0, 4.0), (900.0, 10.0), (float("inf"), 30.0))
_LOG = logging.getLogger(__name__)
_ALL = 1_000_000
_SIGNS = {
    Status.QUEUED: "🕓",
    Status.RUNNING: "⚙️",
    Status.PARKED: "💤",
    Status.WAITING: "❓",
    Status.DONE: "✅",
    Status.FAILED: "⚠️",
    Status.CANCELLED: "⏹",
}


class RunView:
    """Tells one chat of one session that works for it.

    Args:
        bot: what everybody works with.
        telling: where letters go.
    """

    def __init__(self, bot: BotContext, telling: ViewSender) -> None:
        self._bot = bot
        self._telling = telling
        self._place = telling.place
        self._course: RunProgress | None = None
        self._shown = ""
        self._changed = asyncio.Event()
        self._changing: asyncio.Task[None] | None = None

    async def tell(self, event: Event) -> None:
        """Tell of one event."""
        course = await self._taken(event)
        match event.kind:
            case EventKind.TURN_QUEUED:
                await self._begins(event, course)
            case EventKind.PARKED:
                letters = await cards.parked(self._bot, self._telling, event)
                await self._telling.send(event.seq, letters)
            case EventKind.WOKEN:
                letters = await cards.woken(self._bot, self._telling, event)
                await self._telling.send(event.seq, letters)
            case EventKind.QUESTION:
                letters = await questions.asked(self._bot, self._telling, event)
                await self._telling.send(event.seq, letters)
            case EventKind.NOTICE:
                letters = await questions.answered(self._bot, self._telling, event)
                await self._telling.send(event.seq, letters)
            case EventKind.TURN_ENDED:
                await self._ends(event, course)
                return
            case _:
                pass
        self._change()

    async def close(self) -> None:
        """Stop whatever goes on in the background."""
        if self._changing is not None:
            self._changing.cancel()
            with suppress(asyncio.CancelledError):
                await self._changing

    async def _taken(self, event: Event) -> RunProgress:
        """Return the course of an event's turn, with everything that happened before it."""
        if self._course is None or self._course.turn_id != event.turn_id:
            self._course = RunProgress(event.turn_id)
            async with self._bot.records.database.read() as work:
                earlier = await work.events.after(event.session_id, 0, limit=_ALL)
            for before in earlier:
                if before.seq < event.seq:
                    self._course.take(before)
        self._course.take(event)
        return self._course

    async def _begins(self, event: Event, course: RunProgress) -> None:
        body = await self._status(course)
        self._shown = str(body["text"])
        letter = OutgoingMessage(
            self._place,
            status_key(course.turn_id, self._telling),
            "status",
            body,
            session_id=event.session_id,
            turn_id=event.turn_id,
            silent=True,
        )
        await self._telling.send(event.seq, [letter])

    async def _ends(self, event: Event, course: RunProgress) -> None:
        await self.close()
        self._changing = None
        async with self._bot.records.database.read() as work:
            turn = await work.turns.get(event.turn_id)
        letters = await cards.ended(self._bot, self._telling, event)
        letters.append(self._edit(course, await self._status(course)))
        letters += await self._result(turn, course)
        await self._telling.send(event.seq, letters)
        await self._telling.end()

    async def _result(self, turn: Turn, course: RunProgress) -> list[OutgoingMessage]:
        wants = await Preferences.read(self._bot, self._place)
        silent = wants.is_quiet(self._bot.records.clock.now())
        head = f"{_SIGNS[turn.status]} {headline(turn)}"
        report = await run_reports(self._bot.records).of(turn)
        told = f"{'' if wants.footer else _took(turn)}{_told(report, wants.zone)}"
        if turn.status is Status.DONE:
            # The status message above says the rest; what it slept is worth a word of its own.
            slept = f"**{bare(head)}**\n_{bare(told)}_\n\n" if report.naps else ""
            return await reply_letters(
                self._bot,
                self._place,
                turn,
                streamed=(),
                silent=silent,
                wants=wants,
                before=slept,
            )
        stopped = turn.status is Status.CANCELLED and "by hand" in (turn.error or "")
        why = "Stopped." if stopped else error_text(turn.error or "It ended without a reply.")
        kept = f"\n\n**What it had written:**\n{course.partial}" if course.partial else ""
        text = f"**{bare(head)}**\n\n{bare(f'{why} {told}')}{kept}"
        parts = [
            OutgoingMessage(
                self._place,
                f"{turn.id}:end:{number}:{self._place}",
                "reply",
                body,
                session_id=turn.session_id,
                turn_id=turn.id,
                silent=silent,
            )
            for number, body in enumerate(formatted(text))
        ]
        files = await made_files(self._bot, turn)
        return [*parts, *file_letters(self._place, turn, files, silent=silent)]

    def _change(self) -> None:
        self._changed.set()
        if self._changing is None or self._changing.done():
            self._changing = asyncio.create_task(self._keep_changing())

    async def _keep_changing(self) -> None:
        clock = self._bot.records.clock
        begun = clock.monotonic()
        while True:
            await self._changed.wait()
            every_s = edit_seconds(clock.monotonic() - begun)
            await clock.sleep(every_s if self._place.is_private else 2 * every_s)
            self._changed.clear()
            try:
                await self._show()
            except NoctuleError as error:
                _LOG.warning("a status message changes later: %s", error)
                self._changed.set()

    async def _show(self) -> None:
        course = self._course
        if course is None:
            return
        body = await self._status(course)
        if body["text"] != self._shown:
            await self._bot.outbox.post(self._edit(course, body))
            self._shown = str(body["text"])

    def _edit(self, course: RunProgress, body: dict[str, object]) -> OutgoingMessage:
        key = status_key(course.turn_id, self._telling)
        return OutgoingMessage(
            self._place,
            f"{key}:now",
            "status",
            body,
            kind=OutgoingKind.EDIT,
            session_id=self._telling.watch.session_id,
            turn_id=course.turn_id,
            edits=key,
        )

    async def _status(self, course: RunProgress) -> dict[str, object]:
        records = self._bot.records
        async with records.database.read() as work:
            session = await work.sessions.get(self._telling.watch.session_id)
            turn = await work.turns.get(course.turn_id)
            granted = await work.grants.list(session.owner)
        wants = await Preferences.read(self._bot, self._place)
        lines = status_lines(
            course,
            title=headline(turn),
            budget_usd=session.budget_usd,
            most_steps=records.settings.limits.max_run_steps,
            elapsed_s=_elapsed_s(turn, course, records.clock.now().timestamp()),
        )
        rests = course.status in {Status.QUEUED, Status.PARKED, Status.WAITING}
        if turn.wake_at is not None and rests:
            verb = "Starts" if course.status is Status.QUEUED else "Wakes"
            lines.append(f"{verb} {hour(turn.wake_at, wants.zone, records.clock.now())}.")
        allowed = [rule_of(grant) for grant in granted if grant.session_id == session.id]
        if allowed and not course.status.finished:
            lines.append(f"Without asking: {', '.join(allowed)}.")
        return plain("\n".join(lines), buttons=self._buttons(course))

    def _buttons(self, course: RunProgress) -> Sequence[Sequence[Button]]:
        if course.status.finished:
            return ()
        signer, session_id = self._bot.signer, self._telling.watch.session_id
        row = [signer.button(self._place, "⏹ stop", STOP, session_id)]
        if course.status is Status.RUNNING:
            row.append(signer.button(self._place, "⏸ park", PARK, session_id))
        row.append(signer.button(self._place, "≡ log", LOG, session_id))
        return [row]


def edit_seconds(age_s: float) -> float:
    """Return how often a status message changes at most: the older the work, the less.

    Args:
        age_s: seconds for which the work has been told.
    """
    return next(every_s for younger_s, every_s in _PACES if age_s < younger_s)


def status_key(turn_id: str, telling: ViewSender) -> str:
    """Return the key of the status message of a turn in one chat."""
    return f"{CHANNEL}:status:{turn_id}:{telling.place}"


def status_lines(
    course: RunProgress,
    *,
    title: str,
    budget_usd: Decimal | None,
    most_steps: int,
    elapsed_s: float | None,
) -> list[str]:
    """Return what a status message says.

    Args:
        course: how far the work has come.
        title: of its session.
        budget_usd: the most its session may spend; None means no such bound.
        most_steps: of one turn.
        elapsed_s: seconds since it began; None when it has not.
    """
    lines = [f"{_SIGNS[course.status]} {title}"]
    who = f" · {course.role} on {course.model}" if course.model else ""
    lines.append(f"{course.status.value}{who}")
    if course.doing:
        lines.append(course.doing)
    if course.note and not course.status.finished:
        lines.append(course.note)
    if course.assignments:
        lines.append("plan: " + ", ".join(f"{n} ({r})" for n, r in course.assignments.items()))
    known = f"{shown_cost(course.cost_usd)}{' plus unknown costs' if course.unknown else ''}"
    bound = "" if budget_usd is None else f" of {shown_cost(budget_usd)}"
    numbers = [f"step {course.steps} of at most {most_steps}", f"{known}{bound}"]
    if elapsed_s is not None:
        numbers.append(show_duration(elapsed_s))
    lines.append(" · ".join(numbers))
    return lines


def _elapsed_s(turn: Turn, course: RunProgress, now: float) -> float | None:
    if course.begun_at is None:
        return None
    end = now if turn.ended_at is None else turn.ended_at.timestamp()
    return max(0.0, end - course.begun_at.timestamp())


def _told(report: RunReport, zone: tzinfo) -> str:
    """Return what became of work, in words that need no explanation."""
    said = report.sentence(zone).replace("; 0 repeated", "").replace(" repeated", " asked twice")
    return said.replace("cost $?", "cost unknown")


def _took(turn: Turn) -> str:
    if turn.started_at is None or turn.ended_at is None:
        return ""
    return f"{show_duration((turn.ended_at - turn.started_at).total_seconds())}. "
