"""What became of a run, in a line: how long it slept, what it repeated, what it cost and saved."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from noctule.core.base.money import show_usd
from noctule.core.llm.attempts import Attempt, Purpose
from noctule.core.llm.events import Event, EventKind
from noctule.core.llm.spending import total_usd
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.costs import Baseline, ListCost, compare
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.core.times.durations import show_duration

_ENDS_A_NAP = frozenset({EventKind.WOKEN, EventKind.TURN_STARTED, EventKind.TURN_ENDED})
_TOLD = 3
"""How many sleeps a sentence names; of more it names the last."""


@dataclass(frozen=True, slots=True)
class SleepInterval:
    """One time a turn rested and went on, or not.

    Args:
        status: ``parked``, or ``waiting`` for its person.
        parked_at: since when.
        woken_at: when it went on; None when it was ended asleep, or sleeps.
        sentence: what people were told.
    """

    status: str
    parked_at: datetime
    woken_at: datetime | None
    sentence: str

    @property
    def slept_s(self) -> float | None:
        """Seconds it slept; None when it did not wake."""
        if self.woken_at is None:
            return None
        return (self.woken_at - self.parked_at).total_seconds()


@dataclass(frozen=True, slots=True)
class RunReport:
    """What became of one turn.

    Args:
        ended_at: when it finished; None when it has not.
        naps: oldest first; a wake time that was moved makes no second one.
        repeated: requests to models that had to be made again because a process ended in the
            middle: cut off on their way, or answered with the answer lost. Requests that were
            refused are none: nothing had been done for them.
        cost_usd: of all its attempts; None when one of them is unknown.
        elsewhere: all of it on the dearest bound model, from the same tokens; None when nobody
            answered or no price is known. Nothing is compared with free models in words.
    """

    ended_at: datetime | None
    naps: tuple[SleepInterval, ...]
    repeated: int
    cost_usd: Decimal | None
    elsewhere: Baseline | None

    @property
    def slept_s(self) -> float:
        """Seconds it slept in all."""
        return sum(nap.slept_s or 0.0 for nap in self.naps)

    def sentence(self, zone: tzinfo) -> str:
        """Return it in one line for people.

        Args:
            zone: where times are shown; a date is written where it is not that of the end.
        """
        rests = self._rests(zone)
        cost = f"cost {show_usd(self.cost_usd)}{self._saved()}"
        return f"{rests[0].upper()}{rests[1:]}; {self.repeated} repeated; {cost}."

    def as_json(self, zone: tzinfo) -> dict[str, Any]:
        """Return it as JSON values: amounts are numbers, null where nobody knows."""
        return {
            "parks": [
                {
                    "status": nap.status,
                    "parked_at": nap.parked_at.astimezone(zone).isoformat(),
                    "woken_at": nap.woken_at and nap.woken_at.astimezone(zone).isoformat(),
                    "slept_s": nap.slept_s,
                    "sentence": nap.sentence,
                }
                for nap in self.naps
            ],
            "slept_s": self.slept_s,
            "repeated": self.repeated,
            "cost_usd": None if self.cost_usd is None else float(self.cost_usd),
            "baseline": None if self.elsewhere is None else self.elsewhere.as_json(),
        }

    def _rests(self, zone: tzinfo) -> str:
        if not self.naps:
            return "never parked"
        if len(self.naps) <= _TOLD:
            return "; ".join(self._rest(nap, zone) for nap in self.naps)
        all_of_it = show_duration(self.slept_s)
        last = self._rest(self.naps[-1], zone)
        return f"parked {len(self.naps)} times, {all_of_it} in all, at last {last}"

    def _rest(self, nap: SleepInterval, zone: tzinfo) -> str:
        verb = "parked" if nap.status == Status.PARKED else "waited"
        since = self._moment(nap.parked_at, zone)
        if nap.woken_at is None or nap.slept_s is None:
            return f"{verb} {since}, not woken"
        woken = self._moment(nap.woken_at, zone)
        return f"{verb} {since} for {show_duration(nap.slept_s)}, woken {woken}"

    def _moment(self, moment: datetime, zone: tzinfo) -> str:
        there = moment.astimezone(zone)
        end = there if self.ended_at is None else self.ended_at.astimezone(zone)
        return there.strftime("%H:%M:%S" if there.date() == end.date() else "%Y-%m-%d %H:%M")

    def _saved(self) -> str:
        there = self.elsewhere
        if there is None or not there.cost_usd or not there.saved_usd:
            return ""
        word = "saved" if there.saved_usd > 0 else "lost"
        unknown = f" and {there.unknown} answers of unknown price" if there.unknown else ""
        return (
            f", {word} {show_usd(abs(there.saved_usd))} against all of it on {there.model} "
            f"({show_usd(there.cost_usd)}{unknown} for the same tokens; nobody paid that)"
        )


def report_run(
    turn: Turn,
    *,
    attempts: Sequence[Attempt],
    events: Iterable[Event],
    dearest: str | None,
    list_cost: ListCost,
) -> RunReport:
    """Put together what became of a turn.

    Args:
        turn: as it is stored.
        attempts: of the turn, in any order.
        events: of its session, in order; those of other turns are passed over.
        dearest: the model compared with; None leaves that out.
        list_cost: prices tokens on it.
    """
    own = [event for event in events if event.turn_id == turn.id]
    answered = any(attempt.outcome is Outcome.SUCCESS for attempt in attempts)
    compares = answered and dearest is not None
    return RunReport(
        ended_at=turn.ended_at,
        naps=tuple(_naps(own)),
        # While the turn goes on, requests that were begun may still be on their way.
        repeated=(_cut_off(attempts, own) if turn.status.finished else 0)
        + _asked_twice(attempts, own),
        cost_usd=total_usd(attempts),
        elsewhere=compare(attempts, dearest, list_cost) if compares and dearest else None,
    )


def _naps(events: Iterable[Event]) -> Iterator[SleepInterval]:
    asleep: Event | None = None
    for event in events:
        if event.kind is EventKind.PARKED:
            asleep = asleep or event
        elif event.kind in _ENDS_A_NAP and asleep is not None:
            yield _nap(asleep, None if event.kind is EventKind.TURN_ENDED else event.at)
            asleep = None
    if asleep is not None:
        yield _nap(asleep, None)


def _nap(parked: Event, woken_at: datetime | None) -> SleepInterval:
    data = parked.data
    sentence = str(data.get("sentence", ""))
    return SleepInterval(str(data.get("status", "parked")), parked.at, woken_at, sentence)


def _cut_off(attempts: Iterable[Attempt], events: Iterable[Event]) -> int:
    """Count requests whose process died before it knew what came of them."""
    known = {attempt.id for attempt in attempts}
    begun = {e.data.get("attempt") for e in events if e.kind is EventKind.ATTEMPT_STARTED}
    return len(begun - known)


def _asked_twice(attempts: Iterable[Attempt], events: Iterable[Event]) -> int:
    """Count answers that were lost and asked for again.

    Each step of a loop sends more than the one before it: two answers in a row to one role in one
    branch, from the same tokens part by part, are those of the same step.
    """
    branches = {
        event.data["attempt"]: event.data.get("assignment")
        for event in events
        if event.kind is EventKind.ATTEMPT_STARTED
    }
    last: dict[tuple[str, object], object] = {}
    repeated = 0
    for attempt in sorted(attempts, key=lambda one: one.id):
        if attempt.purpose is not Purpose.ANSWER or attempt.outcome is not Outcome.SUCCESS:
            continue
        if attempt.usage.input_tokens is None:
            continue
        branch = attempt.role, branches.get(attempt.id)
        step = attempt.usage.input_tokens, attempt.parts
        repeated += last.get(branch) == step
        last[branch] = step
    return repeated
