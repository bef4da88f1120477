"""Steers: what a person says to a turn while it works."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Steer:
    """One remark; the loop reads it before its next model call.

    Args:
        id: sortable.
        turn_id: the turn it is for.
        text: what was said.
        said_at: aware.
        taken_at: when a loop read it; None while it has not. A crash between the reading and the
            step it was read for makes the step read it again from the checkpoint, not from here.
    """

    id: str
    turn_id: str
    text: str
    said_at: datetime
    taken_at: datetime | None = None
