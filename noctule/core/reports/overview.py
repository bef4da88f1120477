"""A session at a glance: the status people see, what it sleeps on, what it has cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking
from noctule.core.sessions.sessions import Session, Turn

_RESTING = frozenset({Status.QUEUED, Status.PARKED, Status.WAITING})


@dataclass(frozen=True, slots=True)
class Overview:
    """A session at a glance.

    Args:
        session: which.
        turn: the turn whose status is the session's; None before anything was said.
        turns: how many turns it has.
        cost_usd: of all its attempts; None when one of them is unknown.
    """

    session: Session
    turn: Turn | None
    turns: int
    cost_usd: Decimal | None

    @property
    def status(self) -> Status | None:
        """Its status; None before anything was said."""
        return None if self.turn is None else self.turn.status

    @property
    def wake_at(self) -> datetime | None:
        """When it goes on by itself; None when it does not sleep, or only a person wakes it."""
        return None if self.turn is None else wakes_at(self.turn)


def standing_turn(turns: Sequence[Turn]) -> Turn | None:
    """Return the turn whose status is the session's: the oldest unfinished, else the latest.

    Args:
        turns: of one session, oldest first.
    """
    unfinished = (turn for turn in turns if not turn.status.finished)
    return next(unfinished, turns[-1] if turns else None)


def wakes_at(turn: Turn) -> datetime | None:
    """Return when a turn at rest goes on; None when it runs, is finished, or nobody knows."""
    return turn.wake_at if turn.status in _RESTING else None


def is_resting(turn: Turn | None, now: datetime) -> bool:
    """Whether nothing more happens to a session now.

    Args:
        turn: its oldest unfinished turn; None when all are finished.
        now: a turn whose time has come does not rest, even if nobody has woken it yet.
    """
    if turn is None:
        return True
    if turn.status is Status.RUNNING:
        return False
    if turn.wake_at is None:
        return turn.status is not Status.QUEUED
    return turn.wake_at > now


def first_to_wake(parkings: Iterable[Parking]) -> Parking | None:
    """Return the parking that decides when a turn goes on; None when it has none."""
    return min(parkings, key=_order, default=None)


def _order(parking: Parking) -> tuple[bool, float]:
    return (
        parking.wake_at is None,
        (parking.wake_at or parking.parked_at).timestamp(),
    )
