"""The journal of tool calls with a consequence."""

from dataclasses import replace
from datetime import datetime

from noctule.core.effects import Effect, EffectState
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction, missing_parent
from storage.stores.effects import not_started


class MemoryEffects:
    """The journal of tool calls with a consequence."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def start(self, effect: Effect) -> Effect | None:
        """Write that a call is about to happen, unless it was written before."""
        tables = await self._transaction.writing("effects")
        key = (effect.session_id, effect.tool_call_id)
        if key in tables.effects:
            return tables.effects[key]
        if effect.session_id not in tables.sessions:
            raise missing_parent("session", effect.session_id)
        if effect.turn_id not in tables.turns:
            raise missing_parent("turn", effect.turn_id)
        tables.effects[key] = stored(effect)
        return None

    async def finish(
        self, session_id: str, tool_call_id: str, *, result: str, failed: bool, at: datetime
    ) -> None:
        """Write what came of a started call; one that is done keeps its result."""
        tables = await self._transaction.writing("effects")
        effect = tables.effects.get((session_id, tool_call_id))
        if effect is None:
            raise not_started(tool_call_id)
        if effect.state is EffectState.STARTED:
            done = replace(
                effect, state=EffectState.DONE, result=result, failed=failed, ended_at=at
            )
            tables.effects[session_id, tool_call_id] = stored(done)

    async def get(self, session_id: str, tool_call_id: str) -> Effect | None:
        """Return one effect; None when the call was never started."""
        return (await self._transaction.reading()).effects.get((session_id, tool_call_id))

    async def of_session(self, session_id: str) -> list[Effect]:
        """Return the effects of a session, in order of their start."""
        effects = (await self._transaction.reading()).effects.values()
        found = [effect for effect in effects if effect.session_id == session_id]
        return sorted(found, key=lambda effect: (effect.started_at, effect.tool_call_id))
