"""What people said, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from noctule.core.acceptance import Standing
from noctule.core.errors import NotFoundError
from noctule.core.lifecycle import Status, check_move
from noctule.core.sessions import Order, Turn, Verdict
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, missing_parent, twice
from storage.memory.typed_ids import find

_LISTING = "noctule sessions show"


class MemoryTurns:
    """What people said, and how far it has come."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, turn: Turn) -> None:
        """Store a new turn."""
        tables = await self._transaction.writing("turns")
        if turn.id in tables.turns:
            raise twice("turn", turn.id)
        if turn.session_id not in tables.sessions:
            raise missing_parent("session", turn.session_id)
        tables.turns[turn.id] = stored(turn)

    async def get(self, turn_id: str) -> Turn:
        """Return one turn; a unique beginning or end of its id is enough."""
        tables = await self._transaction.reading()
        return find(tables.turns, turn_id, what="turn", listing=_LISTING)

    async def by_origin(self, origin: str) -> Turn | None:
        """Return the turn a message of a messenger became; None when it became none."""
        turns = (await self._transaction.reading()).turns.values()
        return next((turn for turn in turns if turn.origin == origin), None)

    async def of_session(self, session_id: str) -> list[Turn]:
        """Return the turns of a session, oldest first."""
        return [turn for turn in await self._all() if turn.session_id == session_id]

    async def oldest_unfinished(self, session_id: str) -> Turn | None:
        """Return the turn whose turn it is; None when all are finished."""
        turns = await self.of_session(session_id)
        return next((turn for turn in turns if not turn.status.finished), None)

    async def unfinished(self) -> list[Turn]:
        """Return every unfinished turn of every session, oldest first."""
        return [turn for turn in await self._all() if not turn.status.finished]

    async def running(self) -> list[Turn]:
        """Return every running turn of every session, oldest first."""
        return [turn for turn in await self._all() if turn.status is Status.RUNNING]

    async def due(self, now: datetime) -> list[Turn]:
        """Return queued, parked and waiting turns whose turn it is, oldest first."""
        first: dict[str, Turn] = {}
        for turn in await self.unfinished():
            first.setdefault(turn.session_id, turn)
        return [turn for turn in first.values() if turn.due(now)]

    async def standings(self) -> Mapping[str, Standing]:
        """Return how far every turn has come and what its person thought of it, by id."""
        turns = (await self._transaction.reading()).turns
        return {name: Standing(turn.status, turn.verdict) for name, turn in turns.items()}

    async def count_unfinished(self) -> int:
        """Return how many turns are unfinished, of all sessions together."""
        return len(await self.unfinished())

    async def reword(self, turn_id: str, text: str) -> bool:
        """Change what was said while nobody has read it; return False when it has begun."""
        turn = await self.get(turn_id)
        if turn.status is not Status.QUEUED or turn.started_at is not None:
            return False
        await self._set(turn_id, text=text)
        return True

    async def choose_model(self, turn_id: str, model: str | None) -> None:
        """Force a model on a turn that has not ended; None takes it back."""
        await self._set(turn_id, model=model)

    async def wake_at(self, turn_id: str, wake_at: datetime | None) -> None:
        """Move the time at which a resting turn may go on."""
        await self._set(turn_id, wake_at=wake_at)

    async def orders(self, turn_ids: Sequence[str]) -> Mapping[str, Order]:
        """Return what people ordered for some turns; turns without an order are missing."""
        turns = (await self._transaction.reading()).turns
        found = {name: turns[name].order for name in turn_ids if name in turns}
        return {name: order for name, order in found.items() if order is not None}

    async def newest_finished(self, *, owner: str | None = None) -> Turn | None:
        """Return the last turn that got a reply; None when there is none."""
        tables = await self._transaction.reading()
        replied = [
            (turn.ended_at, turn.id, turn)
            for turn in tables.turns.values()
            if turn.ended_at is not None
            and turn.reply is not None
            and (owner is None or tables.sessions[turn.session_id].owner == owner)
        ]
        return max(replied)[2] if replied else None

    async def move(
        self,
        turn_id: str,
        status: Status,
        *,
        at: datetime,
        reply: str | None = None,
        error: str | None = None,
        wake_at: datetime | None = None,
    ) -> Turn:
        """Move a turn to a status in one atomic step and return it as it now is."""
        turn = await self._exactly(turn_id)
        check_move(turn.id, turn.status, status)
        return await self._set(
            turn_id,
            status=status,
            started_at=turn.started_at or (at if status is Status.RUNNING else None),
            ended_at=at if status.finished else None,
            reply=turn.reply if reply is None else reply,
            error=error,
            wake_at=wake_at,
        )

    async def order(self, turn_id: str, order: Order | None) -> None:
        """Note what a person ordered for a turn; None takes it back."""
        await self._set(turn_id, order=order)

    async def rate(self, turn_id: str, verdict: Verdict | None) -> None:
        """Note what the person thought of the reply; None takes it back."""
        await self._set(turn_id, verdict=verdict)

    async def _all(self) -> list[Turn]:
        turns = (await self._transaction.reading()).turns
        return sorted(turns.values(), key=lambda turn: turn.id)

    async def _exactly(self, turn_id: str) -> Turn:
        turns = (await self._transaction.reading()).turns
        if turn_id not in turns:
            raise NotFoundError("turn", turn_id, _LISTING)
        return turns[turn_id]

    async def _set(self, turn_id: str, **changes: Any) -> Turn:
        turn = stored(replace(await self._exactly(turn_id), **changes))
        tables = await self._transaction.writing("turns")
        tables.turns[turn_id] = turn
        return turn
