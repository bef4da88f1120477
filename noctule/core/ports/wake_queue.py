"""Everybody who sleeps on one limit wakes one after another: the first is the probe."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from noctule.core.llm.limits import LimitKey
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.parkings import Parking

PROBE_AHEAD = timedelta(seconds=2)
"""How long the first sleeper has to find out whether the limit is over, before the next wakes."""

STAGGER = timedelta(milliseconds=50)
"""The distance between two wakes: twenty a second."""


async def wake_all(work: UnitOfWork, key: LimitKey, now: datetime) -> int:
    """Let everybody go on who sleeps on a limit that is over before its time; return how many.

    Args:
        work: the transaction that ended it.
        key: the limit.
        now: the first one's wake.
    """
    await work.parkings.line_up([key])
    sleeping = await work.parkings.open_on(key)
    for number, parking in enumerate(sleeping):
        await work.parkings.reschedule([parking.id], place(now, number))
    await settle_turns(work, sleeping)
    return len(sleeping)


async def wake_early(work: UnitOfWork, key: LimitKey, now: datetime) -> int:
    """Let everybody go on who sleeps on a guess that was too long; return how many.

    They keep the order of their line. Who is due already is left alone: it may be at work.

    Args:
        work: the transaction that ended the guess.
        key: the limit.
        now: the first one's wake.
    """
    asleep = [p for p in await work.parkings.open_on(key) if not p.due(now)]
    asleep.sort(key=lambda p: (p.wake_at is None, p.wake_at or now, p.id))
    for number, parking in enumerate(asleep):
        await work.parkings.reschedule([parking.id], place(now, number))
    await settle_turns(work, asleep)
    return len(asleep)


def place(until: datetime, number: int) -> datetime:
    """Return when a sleeper wakes.

    Args:
        until: the end of the limit.
        number: its place in the line; the one at 0 is the probe.
    """
    return until if number == 0 else until + PROBE_AHEAD + number * STAGGER


async def settle_turns(work: UnitOfWork, moved: Sequence[Parking]) -> None:
    """Move the turns of parkings that were moved to the earliest wake of their branches."""
    for turn_id in dict.fromkeys(parking.turn_id for parking in moved):
        times = [p.wake_at for p in await work.parkings.open_of_turn(turn_id) if p.wake_at]
        await work.turns.wake_at(turn_id, min(times, default=None))
