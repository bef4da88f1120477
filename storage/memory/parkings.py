"""Turns asleep."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from noctule.core.limits import LimitKey
from noctule.core.parkings import Parking
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, missing_parent, twice


class MemoryParkings:
    """Turns asleep; a parking is open until it is closed."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, parking: Parking) -> None:
        """Store a new parking."""
        tables = await self._transaction.writing("parkings")
        if parking.id in tables.parkings:
            raise twice("parking", parking.id)
        if parking.turn_id not in tables.turns:
            raise missing_parent("turn", parking.turn_id)
        if parking.session_id not in tables.sessions:
            raise missing_parent("session", parking.session_id)
        tables.parkings[parking.id] = stored(parking)

    async def open_of_turn(self, turn_id: str) -> list[Parking]:
        """Return the open parkings of a turn, oldest first."""
        return await self._open(lambda parking: parking.turn_id == turn_id)

    async def due(self, now: datetime) -> list[Parking]:
        """Return the open parkings whose wake time has come, earliest wake time first."""
        due = await self._open(lambda parking: parking.due(now))
        return sorted(due, key=lambda parking: (parking.wake_at or now, parking.id))

    async def open_on(self, key: LimitKey) -> list[Parking]:
        """Return the open parkings that wait for exactly this limit, oldest first."""
        return await self._open(lambda parking: parking.key == key)

    async def line_up(self, keys: Iterable[LimitKey]) -> None:
        """Wait until nobody else moves the sleepers of some limits: who writes here is alone."""

    async def all_open(self) -> list[Parking]:
        """Return every open parking, oldest first."""
        return await self._open(lambda _: True)

    async def reschedule(self, parking_ids: Sequence[str], wake_at: datetime | None) -> None:
        """Move the wake time of open parkings; None means only a person wakes them."""
        names = set(parking_ids)
        await self._change(lambda parking: parking.id in names, wake_at=wake_at)

    async def close(self, parking_ids: Sequence[str], *, woken_at: datetime) -> None:
        """Close parkings; those closed before keep their time."""
        names = set(parking_ids)
        await self._change(lambda parking: parking.id in names, woken_at=woken_at)

    async def close_turn(self, turn_id: str, *, woken_at: datetime) -> None:
        """Close every open parking of a turn."""
        await self._change(lambda parking: parking.turn_id == turn_id, woken_at=woken_at)

    async def _open(self, meant: Callable[[Parking], bool]) -> list[Parking]:
        parkings = (await self._transaction.reading()).parkings.values()
        found = [p for p in parkings if p.woken_at is None and meant(p)]
        return sorted(found, key=lambda parking: parking.id)

    async def _change(self, meant: Callable[[Parking], bool], **changes: Any) -> None:
        for parking in await self._open(meant):
            tables = await self._transaction.writing("parkings")
            tables.parkings[parking.id] = stored(replace(parking, **changes))
