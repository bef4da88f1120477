"""What watchers of a session see, in order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened."""

    TURN_QUEUED = "turn_queued"
    TURN_STARTED = "turn_started"
    ROUTE = "route"
    PLAN = "plan"
    ATTEMPT_STARTED = "attempt_started"
    ATTEMPT_ENDED = "attempt_ended"
    ATTEMPT_DISCARDED = "attempt_discarded"
    DELTA = "delta"
    TOOL_STARTED = "tool_started"
    TOOL_ENDED = "tool_ended"
    PARKED = "parked"
    WOKEN = "woken"
    QUESTION = "question"
    NOTICE = "notice"
    TURN_ENDED = "turn_ended"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a session.

    Args:
        session_id: where.
        seq: counts from 1 within the session without gaps; a watcher resumes after it.
        turn_id: during which turn.
        kind: what.
        data: JSON values; a delta carries ``attempt``, ``role`` and ``text``.
        at: when.
    """

    session_id: str
    seq: int
    turn_id: str
    kind: EventKind
    data: Mapping[str, Any]
    at: datetime
