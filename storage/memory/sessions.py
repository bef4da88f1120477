"""Conversations and tasks."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from noctule.core.errors import NotFoundError
from noctule.core.sessions import LAST_SESSION, Session
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, Table, twice
from storage.memory.typed_ids import find
from storage.types import storable_text

_LISTING = "noctule sessions"
_ABOUT_SESSIONS: tuple[Table, ...] = (
    *("sessions", "turns", "routes", "heads", "events", "parkings", "effects", "questions"),
    *("grants", "steers", "chats", "watches"),
)


class MemorySessions:
    """Conversations and tasks."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, session: Session) -> None:
        """Store a new session."""
        tables = await self._transaction.writing("sessions")
        if session.id in tables.sessions:
            raise twice("session", session.id)
        tables.sessions[session.id] = stored(session)

    async def get(self, session_id: str) -> Session:
        """Return one session, by a unique beginning or end of its id; ``last`` is the newest."""
        tables = await self._transaction.reading()
        if session_id == LAST_SESSION and tables.sessions:
            return tables.sessions[max(tables.sessions)]
        return find(tables.sessions, session_id, what="session", listing=_LISTING)

    async def list(self, *, owner: str | None = None, limit: int | None = None) -> list[Session]:
        """Return sessions, newest first; None means of everybody, and all."""
        tables = await self._transaction.reading()
        found = [s for s in tables.sessions.values() if owner is None or s.owner == owner]
        return sorted(found, key=lambda session: session.id, reverse=True)[:limit]

    async def set_title(self, session_id: str, title: str) -> None:
        """Give it a title."""
        session = await self._exactly(session_id)
        tables = await self._transaction.writing("sessions")
        tables.sessions[session_id] = replace(session, title=storable_text(title))

    async def set_chat_model(self, session_id: str, model: str | None) -> None:
        """Remember which model the chat role keeps; None forgets it."""
        session = await self._exactly(session_id)
        tables = await self._transaction.writing("sessions")
        tables.sessions[session_id] = replace(session, chat_model=model)

    async def set_budget(self, session_id: str, usd: Decimal | None) -> None:
        """Bound what it may spend in all, in USD; None takes the bound away."""
        session = await self._exactly(session_id)
        tables = await self._transaction.writing("sessions")
        tables.sessions[session_id] = stored(replace(session, budget_usd=usd))

    async def remove(self, session_id: str) -> None:
        """Delete a session with everything that was said and done in it; the ledger stays."""
        await self._exactly(session_id)
        tables = await self._transaction.writing(*_ABOUT_SESSIONS)
        turns = {turn.id for turn in tables.turns.values() if turn.session_id == session_id}
        for name in _ABOUT_SESSIONS:
            rows = getattr(tables, name)
            for key, row in list(rows.items()):
                in_session = session_id in {getattr(row, "session_id", None), key}
                if name == "chats" and in_session:
                    rows[key] = replace(row, session_id=None)
                elif in_session or {getattr(row, "turn_id", None), key} & turns:
                    del rows[key]

    async def mark_outside(self, session_id: str, at: datetime) -> None:
        """Note when it first read text that somebody else wrote; a later mark changes nothing."""
        session = await self._exactly(session_id)
        tables = await self._transaction.writing("sessions")
        marked = replace(session, outside_since=session.outside_since or at)
        tables.sessions[session_id] = stored(marked)

    async def _exactly(self, session_id: str) -> Session:
        tables = await self._transaction.reading()
        if session_id not in tables.sessions:
            raise NotFoundError("session", session_id, _LISTING)
        return tables.sessions[session_id]
