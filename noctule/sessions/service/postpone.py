"""Postponing: a sleeping turn is made to wake later than it would."""

from datetime import datetime

from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.sessions import Turn


async def postpone_turn(work: UnitOfWork, turn: Turn, until: datetime) -> None:
    """Let nothing of a turn wake before a moment; branches that sleep longer keep their time.

    Args:
        work: committed by the caller.
        turn: one that sleeps.
        until: aware.
    """
    early = [
        parking.id
        for parking in await work.parkings.open_of_turn(turn.id)
        if parking.wake_at is not None and parking.wake_at < until
    ]
    await work.parkings.reschedule(early, until)
    await work.turns.wake_at(turn.id, until)
