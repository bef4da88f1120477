"""What watchers of a session see."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from noctule.core.errors import OurBugError
from noctule.core.events import Event, EventKind
from storage.memory.transaction import MemoryTransaction, missing_parent
from storage.types import aware_utc, dump_json


class MemoryEvents:
    """What watchers of a session see."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def append(
        self,
        session_id: str,
        turn_id: str,
        items: Sequence[tuple[EventKind, Mapping[str, Any]]],
        *,
        at: datetime,
    ) -> list[Event]:
        """Store events in order and return them with their sequence numbers."""
        if not items:
            return []
        tables = await self._transaction.writing("events", "heads")
        if session_id not in tables.sessions:
            raise missing_parent("session", session_id)
        first = tables.heads.get(session_id, 0) + 1
        new = [
            Event(session_id, seq, turn_id, kind, _copy(data), aware_utc(at))
            for seq, (kind, data) in enumerate(items, first)
        ]
        tables.heads[session_id] = new[-1].seq
        tables.events[session_id] = [*tables.events.get(session_id, []), *new]
        return new

    async def after(self, session_id: str, seq: int, *, limit: int = 500) -> list[Event]:
        """Return the events with a greater sequence number, in order; 0 means from the start."""
        events = (await self._transaction.reading()).events.get(session_id, [])
        return [event for event in events if event.seq > seq][:limit]

    async def of_turn(self, turn_id: str, kinds: Sequence[EventKind]) -> list[Event]:
        """Return the events of a turn that are of some kinds, in order."""
        sessions = (await self._transaction.reading()).events.values()
        return [
            event
            for events in sessions
            for event in events
            if event.turn_id == turn_id and event.kind in kinds
        ]

    async def last_seq(self, session_id: str) -> int:
        """Return the highest sequence number given out so far; 0 when there is no event."""
        return (await self._transaction.reading()).heads.get(session_id, 0)

    async def last_seqs(self, session_ids: Sequence[str]) -> Mapping[str, int]:
        """Return the highest numbers of several sessions; those without an event are missing."""
        heads = (await self._transaction.reading()).heads
        return {name: heads[name] for name in session_ids if name in heads}

    async def prune_deltas(self, turn_id: str) -> None:
        """Drop the text deltas of a turn whose reply is stored."""
        tables = await self._transaction.writing("events")
        for session_id, events in tables.events.items():
            tables.events[session_id] = [
                event
                for event in events
                if event.turn_id != turn_id or event.kind is not EventKind.DELTA
            ]


def _copy(data: Mapping[str, Any]) -> dict[str, Any]:
    try:
        copied: dict[str, Any] = json.loads(dump_json(dict(data)))
    except TypeError as error:
        raise OurBugError(f"An event is no JSON: {error}. Please report this.") from error
    return copied
