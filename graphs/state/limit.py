"""A limit as the state and the interrupt carry it: plain JSON values."""

from dataclasses import asdict
from typing import Any

from noctule.core.errors import LimitError
from noctule.core.sessions.parkings import ParkingKind


def limit_state(error: LimitError) -> dict[str, Any]:
    """Return what has to be known of a limit to park a turn on it."""
    is_budget = error.key is not None and error.key.is_budget
    return {
        "kind": (ParkingKind.BUDGET if is_budget else ParkingKind.LIMIT).value,
        "role": error.role,
        "model": error.model,
        "reason": error.reason,
        "evidence": error.evidence.value if error.evidence else None,
        "retry_at": error.retry_at.isoformat() if error.retry_at else None,
        "tried": list(error.tried),
        "key": asdict(error.key) if error.key else None,
        "asked": error.asked,
    }
