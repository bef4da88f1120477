"""Effects: tool calls with a consequence, written down so that none ever happens twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EffectClass(StrEnum):
    """What a tool call can change."""

    READ = "read"
    """Nothing; it may be repeated."""
    WRITE = "write"
    """Something in the session's workspace or in Noctule's own notes."""
    OUTSIDE = "outside"
    """Something in the world outside, which nobody can take back."""


class EffectState(StrEnum):
    """How far an effect came."""

    STARTED = "started"
    """It was about to happen; after a crash nobody knows whether it did."""
    DONE = "done"
    """It happened, and its result is stored; or it did not and never will (an error)."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One tool call with a consequence.

    Args:
        session_id: whose.
        tool_call_id: which call, unique within the session.
        turn_id: during which turn.
        tool: its name.
        arguments: as the model gave them, secrets masked; what is longer than 2,000 characters
            is cut.
        before: what the tool noted before it began, from which it can tell later whether it
            happened; JSON values, {} when it cannot tell.
        state: how far it came.
        result: what the model was told; None until it is done.
        failed: whether the result is an error.
        started_at: aware.
        ended_at: None until it is done.
    """

    session_id: str
    tool_call_id: str
    turn_id: str
    tool: str
    arguments: Mapping[str, Any]
    started_at: datetime
    before: Mapping[str, Any] = field(default_factory=dict)
    state: EffectState = EffectState.STARTED
    result: str | None = None
    failed: bool = False
    ended_at: datetime | None = None
