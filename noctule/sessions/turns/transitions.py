"""Where a turn comes to rest: begun, asleep, waiting, done, failed, cancelled.

Each rest is one transaction: the status, what it sleeps on, and the event that tells watchers,
so that a kill at any line leaves all of them or none.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

from graphs.runner import Stop
from graphs.state.state import AnswerState
from noctule.core.base.ids import new_id
from noctule.core.base.roles import Role
from noctule.core.clock import Clock
from noctule.core.errors import OurBugError
from noctule.core.llm.events import EventKind
from noctule.core.llm.limits import LimitKey
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.provider_errors.refusals import Evidence
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parking_policy import Sleep, decide_sleep
from noctule.core.sessions.parkings import Parking, ParkingKind
from noctule.core.sessions.questions import Question, QuestionKind
from noctule.core.sessions.sessions import Session, Turn
from noctule.core.settings.limits import ParkingSettings
from noctule.core.times.durations import show_duration
from noctule.sessions.turns.events import EventLog, TurnSink
from noctule.sessions.turns.progress import Progress
from noctule.sessions.turns.unanswered_waits import in_vain
from noctule.sessions.turns.wake_order import place_in_line, postpone


class TurnTransitions:
    """Writes where turns come to rest.

    Args:
        database: where it is written.
        events: whose followers are told.
        bounds: how long a turn may sleep.
        zone: where quiet hours are meant.
        clock: the time.
    """

    def __init__(
        self,
        *,
        database: Database,
        events: EventLog,
        bounds: ParkingSettings,
        zone: tzinfo,
        clock: Clock,
    ) -> None:
        self._database = database
        self._events = events
        self._bounds = bounds
        self._zone = zone
        self._clock = clock

    def use(self, bounds: ParkingSettings) -> None:
        """Hold to other bounds from now on."""
        self._bounds = bounds

    def on(self, database: Database) -> "TurnTransitions":
        """Return the same over another view of the database, one that may refuse writes."""
        view = copy(self)
        view._database = database  # noqa: SLF001 - its own kind
        return view

    async def begun(self, turn: Turn, sink: TurnSink, due: Sequence[Parking]) -> Turn:
        """Note that a turn runs, and which of its sleeping branches wake.

        Their parkings stay open until the graph has really gone on from them: a kill in between
        must wake them again.
        """
        if turn.status is Status.RUNNING:
            return turn  # it was cut off by a kill and goes on
        await sink.flush()
        async with self._database.work() as work:
            turn = await work.turns.move(turn.id, Status.RUNNING, at=self._clock.now())
            if due:
                slept = self._clock.now() - min(parking.parked_at for parking in due)
                data = {"reason": due[0].reason, "slept_s": round(slept.total_seconds(), 3)}
                await self._tell(work, turn, EventKind.WOKEN, data)
            else:
                await self._tell(work, turn, EventKind.TURN_STARTED, {"text": turn.text})
            await work.commit()
        self._events.stored(turn.session_id)
        return turn

    async def sleeps(
        self, turn: Turn, session: Session, sink: TurnSink, stops: Sequence[Stop]
    ) -> Progress:
        """Park a turn on what stopped its branches, or ask its person."""
        await sink.flush()
        now = self._clock.now()
        async with self._database.work() as work:
            parkings, fresh = await self._branches(work, turn, session, stops)
            sleep = decide_sleep(
                parkings,
                now=now,
                said_at=turn.created_at,
                bounds=self._bounds,
                zone=self._zone,
            )
            for parking in sleep.parkings:
                if parking.id in fresh:
                    await work.parkings.add(parking)
                else:
                    await work.parkings.reschedule([parking.id], parking.wake_at)
            for stop in stops:
                await self._ask(work, turn, stop)
            turn = await work.turns.move(
                turn.id, sleep.status, at=now, error=sleep.sentence, wake_at=sleep.wake_at
            )
            await self._tell(work, turn, EventKind.PARKED, _parked(sleep))
            await work.commit()
        self._events.stored(turn.session_id)
        return Progress(turn, sleep.wake_at)

    async def _branches(
        self, work: UnitOfWork, turn: Turn, session: Session, stops: Sequence[Stop]
    ) -> tuple[list[Parking], set[str]]:
        """Return what every stopped branch sleeps on, and the ids of parkings that are new."""
        await self._line_up(work, turn, stops)
        earlier = await work.parkings.open_of_turn(turn.id)
        # A step that asks something else now sleeps anew, even where the graph calls it the same.
        asleep = {(stop.id, stop.question_key) for stop in stops}
        known = {(parking.interrupt_id, parking.tool_call_id): parking for parking in earlier}
        woken = [parking.id for place, parking in known.items() if place not in asleep]
        await work.parkings.close(woken, woken_at=self._clock.now())
        lap = 1 + max((parking.lap for parking in earlier), default=0)
        parkings, fresh = [], set()
        for stop in stops:
            parking = known.get((stop.id, stop.question_key))
            if parking is None:
                parking = await in_vain(work, self._parking(turn, stop, lap), earlier, stop.value)
                parking = replace(parking, wake_at=await self._turn_in_line(work, parking, session))
                fresh.add(parking.id)
            parkings.append(parking)
        return parkings, fresh

    async def _line_up(self, work: UnitOfWork, turn: Turn, stops: Sequence[Stop]) -> None:
        """Be the only one who moves the sleepers of any limit this turn has to do with."""
        own = {parking.key for parking in await work.parkings.open_of_turn(turn.id)}
        keys = own | {_key_of(stop) for stop in stops}
        await work.parkings.line_up([key for key in keys if key is not None])

    async def _ask(self, work: UnitOfWork, turn: Turn, stop: Stop) -> None:
        """Store and tell what a branch wants to hear, once."""
        asked = stop.question
        if asked is None:
            return
        if await work.questions.of_call(turn.session_id, asked["tool_call_id"]) is not None:
            return
        question = Question(
            id=new_id(self._clock),
            session_id=turn.session_id,
            turn_id=turn.id,
            tool_call_id=asked["tool_call_id"],
            kind=QuestionKind(asked["kind"]),
            text=asked["text"],
            asked_at=self._clock.now(),
            choices=tuple(asked["choices"]),
            tool=asked["tool"],
            subject=asked["subject"],
            server=asked.get("server"),
            workspace=asked.get("workspace"),
            seal=asked.get("seal"),
        )
        await work.questions.add(question)
        shown = {
            "question": question.id,
            "kind": question.kind.value,
            "text": question.text,
            "choices": list(question.choices),
            "tool": question.tool,
            "subject": question.subject,
        }
        await self._tell(work, turn, EventKind.QUESTION, shown)

    async def _turn_in_line(
        self, work: UnitOfWork, parking: Parking, session: Session
    ) -> datetime | None:
        if parking.key is None or parking.wake_at is None:
            return parking.wake_at
        moved = await postpone(work, parking.key, parking.wake_at, but_turn=parking.turn_id)
        if moved:  # it asked for all of them, and asks again for all of them
            return parking.wake_at
        return await place_in_line(work, parking.key, parking.wake_at, session.kind)

    async def parked_by_hand(self, turn: Turn, sink: TurnSink) -> Turn:
        """Put a turn to sleep because a person said so."""
        await sink.flush()
        now = self._clock.now()
        parking = Parking(
            id=new_id(self._clock),
            turn_id=turn.id,
            session_id=turn.session_id,
            kind=ParkingKind.HAND,
            reason="Parked by hand.",
            parked_at=now,
            wake_at=None,
        )
        sentence = f"Parked by hand. `noctule sessions resume {turn.session_id}` goes on."
        async with self._database.work() as work:
            await work.parkings.add(parking)
            await work.turns.order(turn.id, None)
            turn = await work.turns.move(turn.id, Status.PARKED, at=now, error=sentence)
            await self._tell(
                work,
                turn,
                EventKind.PARKED,
                {"status": Status.PARKED.value, "wake_at": None, "sentence": sentence},
            )
            await work.commit()
        self._events.stored(turn.session_id)
        return turn

    async def asks(self, turn: Turn, sink: TurnSink, sentence: str) -> Turn:
        """Let a turn wait for its person."""
        if turn.status is Status.QUEUED:
            turn = await self.begun(turn, sink, ())
        data = {"status": Status.WAITING.value, "wake_at": None, "sentence": sentence}
        return await self._end(turn, sink, Status.WAITING, EventKind.PARKED, data, sentence)

    async def done(
        self, turn: Turn, session: Session, sink: TurnSink, answer: AnswerState | None
    ) -> Turn:
        """Store the reply; the chat role keeps the model that gave it.

        Raises:
            OurBugError: the graph ended without an answer.
        """
        if answer is None:
            raise OurBugError("The graph ended without an answer; please report this.")
        await sink.flush()
        async with self._database.work() as work:
            turn = await work.turns.move(
                turn.id, Status.DONE, at=self._clock.now(), reply=answer["text"]
            )
            await work.parkings.close_turn(turn.id, woken_at=self._clock.now())
            if answer["role"] == Role.CHAT.value and turn.model is None and answer["model"]:
                await work.sessions.set_chat_model(session.id, answer["model"])
            await self._tell(
                work,
                turn,
                EventKind.TURN_ENDED,
                {"status": Status.DONE.value, "role": answer["role"], "reply": answer["text"]},
            )
            await work.commit()
        self._events.stored(turn.session_id)
        self._events.prune_soon(turn.id)
        return turn

    async def failed(self, turn: Turn, sink: TurnSink, sentence: str) -> Turn:
        """Store why a turn failed."""
        if turn.status is not Status.RUNNING:
            async with self._database.read() as work:
                turn = await work.turns.get(turn.id)
        if turn.status in {Status.QUEUED, Status.PARKED, Status.WAITING}:
            turn = await self.begun(turn, sink, ())
        data = {"status": Status.FAILED.value, "error": sentence}
        return await self._end(turn, sink, Status.FAILED, EventKind.TURN_ENDED, data, sentence)

    async def cancelled(self, turn: Turn, sink: TurnSink | None = None) -> Turn:
        """Store that a person ended a turn."""
        data = {"status": Status.CANCELLED.value, "error": "Cancelled by hand."}
        return await self._end(
            turn, sink, Status.CANCELLED, EventKind.TURN_ENDED, data, "Cancelled by hand."
        )

    async def expired(self, turn: Turn) -> Turn:
        """End a turn that waited for its person longer than it is kept."""
        days = show_duration(self._bounds.waiting_expiry.total_seconds())
        sentence = (
            f"Nobody answered for {days} (parking.waiting_expiry), so it was cancelled. "
            "Say it again to begin anew."
        )
        data = {"status": Status.CANCELLED.value, "error": sentence}
        return await self._end(turn, None, Status.CANCELLED, EventKind.TURN_ENDED, data, sentence)

    async def _end(
        self,
        turn: Turn,
        sink: TurnSink | None,
        status: Status,
        kind: EventKind,
        data: dict[str, Any],
        error: str,
    ) -> Turn:
        if sink is not None:
            await sink.flush()
        now = self._clock.now()
        async with self._database.work() as work:
            turn = await work.turns.move(turn.id, status, at=now, error=error)
            await work.turns.order(turn.id, None)
            if status.finished:
                await work.parkings.close_turn(turn.id, woken_at=now)
            await self._tell(work, turn, kind, data)
            await work.commit()
        self._events.stored(turn.session_id)
        return turn

    async def _tell(
        self, work: UnitOfWork, turn: Turn, kind: EventKind, data: dict[str, Any]
    ) -> None:
        await work.events.append(turn.session_id, turn.id, [(kind, data)], at=self._clock.now())

    def _parking(self, turn: Turn, stop: Stop, lap: int) -> Parking:
        value = stop.value
        retry_at = value.get("retry_at")
        evidence = value.get("evidence")
        return Parking(
            id=new_id(self._clock),
            turn_id=turn.id,
            session_id=turn.session_id,
            kind=ParkingKind(value.get("kind", ParkingKind.LIMIT)),
            reason=str(value.get("reason", "")),
            parked_at=self._clock.now(),
            wake_at=datetime.fromisoformat(retry_at) if retry_at else None,
            evidence=Evidence(evidence) if evidence else None,
            key=_key_of(stop),
            model=value.get("model"),
            tried=tuple(value.get("tried", ())),
            interrupt_id=stop.id,
            lap=lap,
            tool_call_id=stop.question_key,
        )


def _key_of(stop: Stop) -> LimitKey | None:
    key = stop.value.get("key")
    return LimitKey(**key) if key else None


def _parked(sleep: Sleep) -> dict[str, Any]:
    first = sleep.parkings[0]
    return {
        "status": sleep.status.value,
        "wake_at": sleep.wake_at.isoformat() if sleep.wake_at else None,
        "sentence": sleep.sentence,
        "reason": first.reason,
        "evidence": first.evidence.value if first.evidence else None,
        "model": first.model,
        "tried": list(first.tried),
    }
