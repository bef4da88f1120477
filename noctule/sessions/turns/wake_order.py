"""The line of those who sleep on one limit: who comes joins it, and all of it moves together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from noctule.core.llm.limits import LimitKey
from noctule.core.ports.database import UnitOfWork
from noctule.core.ports.wake_queue import place, settle_turns
from noctule.core.sessions.parkings import Parking
from noctule.core.sessions.sessions import SessionKind


async def place_in_line(
    work: UnitOfWork, key: LimitKey, until: datetime, kind: SessionKind
) -> datetime:
    """Return when one more sleeper on a limit should wake.

    The first one wakes at the reset and is the probe; conversations come before background work.

    Args:
        work: the transaction that will store it.
        key: the limit.
        until: its end, margin included.
        kind: what kind of session sleeps.
    """
    ahead = await work.parkings.open_on(key)
    if kind is SessionKind.CHAT:
        kinds = await _kinds(work, ahead)
        ahead = [p for p in ahead if kinds[p.session_id] is SessionKind.CHAT]
    return place(until, len(ahead))


async def postpone(
    work: UnitOfWork, key: LimitKey, until: datetime, *, but_turn: str
) -> Sequence[str]:
    """Move everybody on a limit who would wake before its new end; return their sessions.

    Args:
        work: the transaction of the park that learned the new end.
        key: the limit.
        until: its new end, margin included.
        but_turn: the turn that learned it; it keeps the first place.
    """
    early = [
        parking
        for parking in await work.parkings.open_on(key)
        if parking.wake_at is not None and parking.wake_at < until and parking.turn_id != but_turn
    ]
    for number, parking in enumerate(early, start=1):
        await work.parkings.reschedule([parking.id], place(until, number))
    await settle_turns(work, early)
    return [parking.session_id for parking in early]


async def _kinds(work: UnitOfWork, parkings: Sequence[Parking]) -> Mapping[str, SessionKind]:
    kinds: dict[str, SessionKind] = defaultdict(lambda: SessionKind.RUN)
    for session_id in {parking.session_id for parking in parkings}:
        kinds[session_id] = (await work.sessions.get(session_id)).kind
    return kinds
