"""In vain: how long, and behind how many windows, a branch has slept without an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from noctule.core.llm.guesses import is_window
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.parkings import Parking, ParkingKind


async def in_vain(
    work: UnitOfWork, parking: Parking, earlier: Sequence[Parking], stop: Mapping[str, Any]
) -> Parking:
    """Return a new parking with what its turn has slept in vain before it.

    Earlier sleep counts as long as nobody has got an answer from the limit that was slept on.
    Windows count for whoever asked behind them; who never asked has no part in them.

    Args:
        work: the transaction that will store it.
        parking: the new one, with the end of its limit.
        earlier: the turn's open parkings.
        stop: what the graph said of it.
    """
    if parking.kind is not ParkingKind.LIMIT:
        return parking
    begun = {limit.key: limit.begun_at for limit in await work.limits.list()}
    before = [
        one
        for one in earlier
        if one.kind is ParkingKind.LIMIT
        and one.key in begun
        and one.parked_at >= begun[one.key]
        and one.interrupt_id != parking.interrupt_id
    ]
    asked = bool(stop.get("asked", True)) and parking.wake_at is not None
    wait = None if parking.wake_at is None else parking.wake_at - parking.parked_at
    counts = asked and wait is not None and is_window(parking.evidence, wait)
    same = [one.vain for one in before if one.key == parking.key]
    return replace(
        parking,
        vain_since=min((one.slept_since for one in before), default=None),
        vain=max(same, default=0) + counts,
    )
