"""Suspensions: times in which the machine slept and nothing was done."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Suspension:
    """One time in which a machine stood still although there was work.

    Args:
        id: sortable by time.
        machine: its name.
        began_at: when it fell asleep, to about half a minute.
        ended_at: when it went on.
    """

    id: str
    machine: str
    began_at: datetime
    ended_at: datetime

    @property
    def lasted(self) -> timedelta:
        """How long it stood still."""
        return self.ended_at - self.began_at


def lost(suspensions: Iterable[Suspension]) -> timedelta:
    """Return the time that was lost in all."""
    return sum((one.lasted for one in suspensions), timedelta())
