"""How far a turn came."""

from dataclasses import dataclass
from datetime import datetime

from noctule.core.errors import NoctuleError
from noctule.core.sessions.sessions import Turn


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a turn came.

    Args:
        turn: as it now is.
        wake_at: when it is worth advancing again; None when it has ended, waits for a person,
            was cut off by a shutdown, or is not the session's next.
        unstored: why where it came to rest could not be written, so that its row is older than
            what happened; None when it could.
    """

    turn: Turn
    wake_at: datetime | None = None
    unstored: NoctuleError | None = None
