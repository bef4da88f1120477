"""Talk: tells a chat of the conversation it has, from the first sign of life to the answer."""

from collections.abc import Mapping
from typing import Any

from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.base.subscriptions import ViewSender
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.channels.telegram.views import cards, questions
from noctule.channels.telegram.views.replies import reply_letters
from noctule.channels.telegram.views.stream import Stream
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.events import Event, EventKind
from noctule.core.sessions.lifecycle import Status

_SPEAKS = {Purpose.ANSWER.value}


class ChatView:
    """Tells one chat of the session it talks to.

    Args:
        bot: what everybody works with.
        telling: where letters go.
    """

    def __init__(self, bot: BotContext, telling: ViewSender) -> None:
        self._bot = bot
        self._telling = telling
        self._place = telling.place
        self._stream: Stream | None = None
        self._roles: dict[str, str] = {}

    async def tell(self, event: Event) -> None:
        """Tell of one event."""
        match event.kind:
            case EventKind.TURN_STARTED | EventKind.WOKEN:
                await self._begins(event)
            case EventKind.ATTEMPT_STARTED:
                self._attempt(event)
            case EventKind.DELTA:
                self._delta(event)
            case EventKind.ATTEMPT_DISCARDED:
                self._shown(event).takes_back(str(event.data.get("attempt")))
            case EventKind.TOOL_STARTED:
                self._shown(event).does(_doing(event.data))
            case EventKind.PARKED:
                await self._rests(event)
            case EventKind.QUESTION:
                await self._telling.send(
                    event.seq, await questions.asked(self._bot, self._telling, event)
                )
            case EventKind.NOTICE:
                letters = await questions.answered(self._bot, self._telling, event)
                await self._telling.send(event.seq, letters or self._notice(event))
            case EventKind.TURN_ENDED:
                await self._ended(event)
            case _:
                pass

    async def close(self) -> None:
        """Stop whatever goes on in the background."""
        self._bot.signs.end(self._place)
        if self._stream is not None:
            await self._stream.drop()

    async def _begins(self, event: Event) -> None:
        self._bot.signs.keep(self._place)
        if event.kind is EventKind.TURN_STARTED:
            await self._unsee(event.turn_id)
        if event.kind is EventKind.WOKEN:
            letters = await cards.woken(self._bot, self._telling, event)
            letters += await questions.over(self._bot, self._telling, event)
            await self._telling.send(event.seq, letters)

    async def _unsee(self, turn_id: str) -> None:
        """Take the sign away that a message waits; only those that waited have one."""
        async with self._bot.records.database.read() as work:
            turn = await work.turns.get(turn_id)
            turns = await work.turns.of_session(turn.session_id)
        before = [one for one in turns if one.id < turn.id and one.ended_at is not None]
        waited = any(one.ended_at and one.ended_at > turn.created_at for one in before)
        number = (turn.origin or "").rpartition(":")[2]
        if waited and number.isdigit():
            await self._bot.signs.unsee(self._place, int(number))

    def _attempt(self, event: Event) -> None:
        self._bot.signs.keep(self._place)  # it may be told after a restart of the channel
        if event.data.get("purpose", Purpose.ANSWER.value) not in _SPEAKS:
            return
        attempt = str(event.data.get("attempt"))
        self._roles[attempt] = str(event.data.get("role", ""))
        if event.data.get("assignment") is None:
            self._shown(event).begins(attempt)

    def _delta(self, event: Event) -> None:
        attempt = str(event.data.get("attempt"))
        role = str(event.data.get("role") or self._roles.get(attempt, ""))
        self._shown(event).says(attempt, role, str(event.data.get("text", "")))

    async def _rests(self, event: Event) -> None:
        self._bot.signs.end(self._place)
        await self._end_stream()
        letters = await cards.parked(self._bot, self._telling, event)
        await self._telling.send(event.seq, letters)

    def _notice(self, event: Event) -> list[OutgoingMessage]:
        text = str(event.data.get("text") or "")
        if not text or event.data.get("steer") or event.data.get("question"):
            return []
        return [
            OutgoingMessage(
                self._place,
                f"{event.session_id}:{event.seq}:notice",
                "notice",
                plain(text),
                session_id=event.session_id,
                turn_id=event.turn_id,
                silent=True,
            )
        ]

    async def _ended(self, event: Event) -> None:
        self._bot.signs.end(self._place)
        streamed = await self._end_stream(event.turn_id)
        async with self._bot.records.database.read() as work:
            turn = await work.turns.get(event.turn_id)
        wants = await Preferences.read(self._bot, self._place)
        if turn.status is Status.DONE:
            letters = await reply_letters(
                self._bot,
                self._place,
                turn,
                streamed=streamed,
                wants=wants,
            )
        else:
            letters = [self._failure(event)]
        letters += await questions.over(self._bot, self._telling, event)
        closed = await cards.ended(self._bot, self._telling, event)
        await self._telling.send(event.seq, [*closed, *letters])

    def _failure(self, event: Event) -> OutgoingMessage:
        status = event.data.get("status")
        why = str(event.data.get("error") or "It ended without a reply; please try again.")
        # What had been said stays in the chat, above the sentence.
        sentence = "Stopped." if status == Status.CANCELLED.value and "hand" in why else why
        key = f"{event.turn_id}:{event.seq}:end"
        return OutgoingMessage(
            self._place,
            key,
            "notice",
            plain(sentence),
            session_id=event.session_id,
            turn_id=event.turn_id,
        )

    def _shown(self, event: Event) -> Stream:
        if self._stream is None or self._stream.turn_id != event.turn_id:
            self._stream = Stream(self._bot, self._place, event.session_id, event.turn_id)
        return self._stream

    async def _end_stream(self, turn_id: str | None = None) -> list[str]:
        """End what grows; return the keys of its messages."""
        stream, self._stream = self._stream, None
        if stream is None:
            if turn_id is None:
                return []
            # The channel was begun anew: an earlier process may have left one.
            stream = Stream(self._bot, self._place, self._telling.watch.session_id, turn_id)
        return await stream.end()


def _doing(data: Mapping[str, Any]) -> str:
    subject = str(data.get("subject") or "")
    shown = subject if len(subject) <= 80 else subject[:79] + "…"  # noqa: PLR2004 - a line of a phone
    words = " ".join(f"{data.get('tool', 'a tool')} {shown}".split())
    return words.replace("_", r"\_").replace("*", r"\*").replace("`", "'")
