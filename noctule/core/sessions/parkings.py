"""A turn, or one branch of it, asleep: on what, since when, until when."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from noctule.core.llm.limits import LimitKey
from noctule.core.provider_errors.refusals import Evidence


class ParkingKind(StrEnum):
    """What a parking waits for."""

    LIMIT = "limit"
    """A provider's reset."""
    BUDGET = "budget"
    """A new window of a budget, or one that was raised."""
    CAP = "cap"
    """A person who lets a long loop go on."""
    QUESTION = "question"
    """A person's answer."""
    HAND = "hand"
    """``noctule sessions resume``: somebody parked it by hand."""


@dataclass(frozen=True, slots=True)
class Parking:
    """One reason for which a turn sleeps; a turn has one per branch that was refused.

    Args:
        id: sortable; also the id of the wake's workflow, so that a wake exists once.
        turn_id: which turn.
        session_id: its session.
        kind: what it waits for.
        reason: in the provider's own words, or ours for caps and hands.
        parked_at: since when.
        wake_at: when it may go on; None means only a person lets it.
        evidence: where ``wake_at`` came from; None when nobody said.
        key: the limit it waits on; None when it is no limit of a provider.
        model: the model that was refused, by its configured name; None when none was.
        tried: one line per candidate.
        interrupt_id: what the graph calls it; None when it stopped between two steps.
        lap: how often this turn has been parked, this time included.
        woken_at: when it went on; None while it sleeps.
        tool_call_id: the call whose question it waits for; None when it waits for no answer.
        vain_since: since when its branch sleeps on limits without any answer; None means since
            ``parked_at``.
        vain: how many windows with a known end it has asked in vain behind, this one included.
    """

    id: str
    turn_id: str
    session_id: str
    kind: ParkingKind
    reason: str
    parked_at: datetime
    wake_at: datetime | None
    evidence: Evidence | None = None
    key: LimitKey | None = None
    model: str | None = None
    tried: tuple[str, ...] = ()
    interrupt_id: str | None = None
    lap: int = 1
    woken_at: datetime | None = None
    tool_call_id: str | None = None
    vain_since: datetime | None = None
    vain: int = 0

    @property
    def slept_since(self) -> datetime:
        """Since when it sleeps without an answer, wakes in vain between included."""
        return self.vain_since or self.parked_at

    @property
    def is_open_question(self) -> bool:
        """Whether it waits for an answer that nobody has given."""
        return self.kind is ParkingKind.QUESTION and self.wake_at is None

    def due(self, now: datetime) -> bool:
        """Whether it may go on."""
        return self.wake_at is not None and self.wake_at <= now
