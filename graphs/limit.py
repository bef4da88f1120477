"""A limit as the state and the interrupt carry it: plain JSON values."""

from dataclasses import asdict
from typing import Any

from noctule.core.errors import LimitError


def limit_state(error: LimitError) -> dict[str, Any]:
    """Return what has to be known of a limit to park a turn on it."""
    return {
        "role": error.role,
        "model": error.model,
        "reason": error.reason,
        "evidence": error.evidence.value if error.evidence else None,
        "retry_at": error.retry_at.isoformat() if error.retry_at else None,
        "tried": list(error.tried),
        "key": asdict(error.key) if error.key else None,
    }
