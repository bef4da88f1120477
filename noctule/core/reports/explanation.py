"""Why a turn was answered as it was: its route, its calls, its sleeps, put together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from noctule.core.llm.attempts import Attempt, SkippedModel
from noctule.core.llm.events import Event, EventKind
from noctule.core.llm.routes import Route
from noctule.core.llm.spending import total_usd
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.costs import Baseline, ListCost, Spend, compare
from noctule.core.sessions.sessions import Session, Turn


@dataclass(frozen=True, slots=True)
class ExplainedCall:
    """One call: who was asked in which order, who was passed over, who answered.

    Args:
        id: shared by its attempts.
        attempts: in the order they were made; never empty.
        skipped: who was passed over, each once with the latest reason.
        elsewhere: what its answer would have cost on the dearest bound model; None when nobody
            answered or no price is known.
    """

    id: str
    attempts: tuple[Attempt, ...]
    skipped: tuple[SkippedModel, ...]
    elsewhere: Baseline | None

    @property
    def answered_by(self) -> Attempt | None:
        """The attempt that gave the answer; None when none did."""
        return next((a for a in self.attempts if a.outcome is Outcome.SUCCESS), None)

    @property
    def wait_s(self) -> float:
        """Seconds it waited for slots and limits in all."""
        return sum(attempt.wait_s for attempt in self.attempts)

    @property
    def cost_usd(self) -> Decimal | None:
        """What it cost in all; None when that is unknown."""
        return total_usd(self.attempts)


@dataclass(frozen=True, slots=True)
class ExplainedSleep:
    """One time a turn was parked or had to wait for its person.

    Args:
        status: ``parked`` or ``waiting``.
        parked_at: since when.
        wake_at: until when it was to sleep; None when only a person lets it go on.
        woken_at: when it went on; None while it sleeps, or when it was ended asleep.
        sentence: what people were told.
        reason: in the provider's own words; None when nobody refused.
        evidence: where the time came from; None when nobody said.
        model: who refused; None likewise.
        tried: one line per candidate.
    """

    status: str
    parked_at: datetime
    wake_at: datetime | None
    woken_at: datetime | None
    sentence: str
    reason: str | None
    evidence: str | None
    model: str | None
    tried: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that made a turn's reply what it is.

    Args:
        session: its session.
        turn: the turn.
        route: who was to answer, and why; None when it was never routed.
        calls: oldest first.
        sleeps: oldest first.
        spend: all its attempts together.
        cost_usd: of all its attempts; None when one of them is unknown.
        elsewhere: all its answers on the dearest bound model; None when no price is known.
    """

    session: Session
    turn: Turn
    route: Route | None
    calls: tuple[ExplainedCall, ...]
    sleeps: tuple[ExplainedSleep, ...]
    spend: Spend
    cost_usd: Decimal | None
    elsewhere: Baseline | None


def explain(
    session: Session,
    turn: Turn,
    *,
    route: Route | None,
    attempts: Sequence[Attempt],
    events: Iterable[Event],
    dearest: str | None,
    list_cost: ListCost,
) -> Explanation:
    """Put together what is known of a turn.

    Args:
        session: its session.
        turn: the turn.
        route: the orchestrator's decision; None when there is none.
        attempts: of the turn, newest first as the ledger lists them.
        events: of its session, in order; those of other turns are passed over.
        dearest: the dearest bound model; None when no price is known.
        list_cost: prices tokens on it.
    """
    calls: dict[str, list[Attempt]] = {}
    for attempt in reversed(attempts):
        calls.setdefault(attempt.call_id, []).append(attempt)
    own = [event for event in events if event.turn_id == turn.id]
    return Explanation(
        session=session,
        turn=turn,
        route=route,
        calls=tuple(_call(key, made, dearest, list_cost) for key, made in calls.items()),
        sleeps=tuple(_sleeps(own)),
        spend=Spend.of(attempts),
        cost_usd=total_usd(attempts),
        elsewhere=_compare(attempts, dearest, list_cost),
    )


def _call(
    call_id: str, attempts: Sequence[Attempt], dearest: str | None, list_cost: ListCost
) -> ExplainedCall:
    skipped = {skip.model: skip for attempt in attempts for skip in attempt.skipped}
    return ExplainedCall(
        id=call_id,
        attempts=tuple(attempts),
        skipped=tuple(skipped.values()),
        elsewhere=_compare(attempts, dearest, list_cost),
    )


def _compare(
    attempts: Sequence[Attempt], dearest: str | None, list_cost: ListCost
) -> Baseline | None:
    answered = any(attempt.outcome is Outcome.SUCCESS for attempt in attempts)
    return compare(attempts, dearest, list_cost) if answered and dearest is not None else None


def _sleeps(events: Sequence[Event]) -> Iterator[ExplainedSleep]:
    for index, event in enumerate(events):
        if event.kind is EventKind.PARKED:
            yield _sleep(event.at, event.data, _woken(events[index + 1 :]))


def _woken(later: Iterable[Event]) -> datetime | None:
    """Return when a sleep ended: at the wake, unless it was parked anew or ended before."""
    for event in later:
        if event.kind is EventKind.WOKEN:
            return event.at
        if event.kind in {EventKind.PARKED, EventKind.TURN_ENDED}:
            return None
    return None


def _sleep(
    parked_at: datetime, data: Mapping[str, Any], woken_at: datetime | None
) -> ExplainedSleep:
    wake_at = data.get("wake_at")
    return ExplainedSleep(
        status=str(data.get("status", "parked")),
        parked_at=parked_at,
        wake_at=datetime.fromisoformat(wake_at) if wake_at else None,
        woken_at=woken_at,
        sentence=str(data.get("sentence", "")),
        reason=data.get("reason"),
        evidence=data.get("evidence"),
        model=data.get("model"),
        tried=tuple(map(str, data.get("tried", ()))),
    )
