"""The right to advance a session, where one process works on the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Held:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class SessionLocks:
    """One lock per session, kept only while somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def is_free(self, session_id: str) -> bool:
        """Whether nobody holds it or waits for it."""
        return session_id not in self._held

    @asynccontextmanager
    async def hold(self, session_id: str) -> AsyncIterator[None]:
        """Hold the right to advance a session; waits for it."""
        held = self._held.setdefault(session_id, _Held())
        held.users += 1
        try:
            async with held.lock:
                yield
        finally:
            held.users -= 1
            if not held.users:
                del self._held[session_id]
