"""What came of one message: its turn as it rests, who was asked, and a sentence about it."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal

from noctule.channels.terminal.question_page import how_to_answer, question_lines
from noctule.core.llm.attempts import Attempt, Purpose
from noctule.core.llm.routes import Route
from noctule.core.llm.spending import total_usd
from noctule.core.ports.database import Database
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Question
from noctule.core.sessions.sessions import Turn
from noctule.core.settings import EndpointKind, Settings

DONE, FAILED, ASLEEP = 0, 1, 75
_ASKS = frozenset({Status.QUEUED, Status.PARKED, Status.WAITING})
_OLLAMA = "http://127.0.0.1:11434"


@dataclass(frozen=True, slots=True)
class TurnResult:
    """A turn at rest.

    Args:
        turn: as it is stored.
        route: who was to answer; None when that was never decided.
        attempts: its requests to models, oldest first.
        ahead: the unfinished turn that has to end before this one begins; None when none has.
        questions: what it, or the turn ahead of it, waits to hear, oldest first.
    """

    turn: Turn
    route: Route | None
    attempts: tuple[Attempt, ...]
    ahead: Turn | None = None
    questions: tuple[Question, ...] = ()

    @classmethod
    async def read(cls, database: Database, turn_id: str) -> "TurnResult":
        """Read a turn and what belongs to it.

        Raises:
            NotFoundError: there is no such turn.
        """
        async with database.read() as work:
            turn = await work.turns.get(turn_id)
            route = await work.routes.of_turn(turn.id)
            attempts = await work.attempts.list(turn_id=turn.id)
            first = await work.turns.oldest_unfinished(turn.session_id)
            questions = await work.questions.open(session_id=turn.session_id)
        ahead = first if first is not None and first.id < turn.id else None
        asked = tuple(question for question in questions if question.turn_id <= turn.id)
        return cls(turn, route, tuple(reversed(attempts)), ahead, asked)

    @property
    def cost_usd(self) -> Decimal | None:
        """What it has cost so far; None when that is not known."""
        return total_usd(self.attempts)

    @property
    def exit_code(self) -> int:
        """What a command that waited for it ends with."""
        match self.turn.status:
            case Status.DONE:
                return DONE
            case Status.FAILED | Status.CANCELLED:
                return FAILED
            case _:
                return ASLEEP

    def sentence(self, settings: Settings, zone: tzinfo) -> str | None:
        """Return why there is no reply and what to do about it; None when there is one.

        Args:
            settings: tell where models were looked for.
            zone: where times are shown.
        """
        if self.questions and self.turn.status in _ASKS:
            return self._asked(zone)
        session = self.turn.session_id
        error = self.turn.error or ""
        match self.turn.status:
            case Status.DONE:
                return None
            case Status.CANCELLED:
                return f"Stopped. What was said stays. Continue with {_go_on(session)}."
            case Status.PARKED:
                sentence = _joined(
                    error,
                    "It wakes by itself while `noctule serve` runs; to try now: "
                    f"`noctule sessions resume {session}`.",
                )
            case Status.QUEUED:
                return self._stored(zone)
            case Status.RUNNING:
                return f"Another worker continues it. Talk to it with {_go_on(session)}."
            case _:
                sentence = error
        return _joined(sentence, self._missing_ollama(settings))

    def _asked(self, zone: tzinfo) -> str:
        lines = []
        if self.turn.status is Status.QUEUED:
            lines.append("Queued behind an earlier message that is waiting for your answer.")
        elif self.turn.status is Status.PARKED and self.turn.wake_at is not None:
            lines.append(
                f"Parked until {_moment(self.turn.wake_at, zone)}, and waiting for your answer:"
            )
        else:
            lines.append("Waiting for your answer:")
        for question in self.questions:
            lines += [*question_lines(question), how_to_answer(question)]
        return "\n".join(lines)

    def _stored(self, zone: tzinfo) -> str:
        if self.ahead is None:
            return "Queued: it starts " + _moment(self.turn.wake_at, zone) + "."
        ahead = self.ahead
        why = (ahead.error or "").rstrip()
        if ahead.status is Status.PARKED and ahead.wake_at is not None:
            rests = f"is parked until {_moment(ahead.wake_at, zone)}"
        elif ahead.status is Status.PARKED:
            rests = "is parked until you resume it"
        elif ahead.status is Status.WAITING:
            rests = "is waiting for you"
        else:
            rests = "is still running"
        return _joined(
            f"Queued behind an earlier message that {rests}.",
            f"{why} Resume that one now with `noctule sessions resume {ahead.session_id}`.",
        )

    def _missing_ollama(self, settings: Settings) -> str | None:
        """Return what to do where there is no Ollama at all; None when that is not the reason."""
        failed = self.turn.status is Status.FAILED  # then its own error says what to do
        if failed or not self.attempts:
            return None
        if any(attempt.outcome is Outcome.SUCCESS for attempt in self.attempts):
            return None
        for attempt in self.attempts:
            endpoint = settings.endpoints.get(attempt.endpoint)
            if endpoint is None or endpoint.kind is not EndpointKind.OLLAMA:
                continue
            if attempt.outcome is Outcome.UNAVAILABLE:
                return (
                    f"Without Ollama at {endpoint.url or _OLLAMA}: run `noctule init` to configure "
                    "what this machine has, or `noctule demo` to see Noctule on its own tiny "
                    "model."
                )
        return None


def answering(said: TurnResult) -> list[Attempt]:
    """Return the attempts whose text is part of the answer, oldest first."""
    return [
        attempt
        for attempt in said.attempts
        if attempt.purpose is Purpose.ANSWER and attempt.outcome is Outcome.SUCCESS
    ]


def _go_on(session_id: str) -> str:
    return f"`noctule chat --session {session_id}`"


def _moment(moment: datetime | None, zone: tzinfo) -> str:
    return "later" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _joined(first: str, second: str | None) -> str:
    """Join two sentences; a provider's words get the full stop they may lack."""
    head = first.rstrip()
    if not second or not head:
        return head or (second or "").strip()
    stop = "" if head[-1] in ".!?…:`" else "."
    return f"{head}{stop} {second.strip()}"
