"""The engine's own log, while its database does not answer: people are told once, by us.

DBOS logs every look of every thread that fails, with its traceback: thousands of lines an hour.
"""

import logging
import re

from noctule.core.clock import Clock
from noctule.core.workers.patience import Patience

_TROUBLE = re.compile(
    r"OperationalError|InterfaceError|psycopg|sqlite3\.|connection|disk is full|database is locked",
    re.IGNORECASE,
)
_LASTS_S = 30.0
"""From when trouble that only the engine has is worth a line."""

_AGAIN_S = 600.0


class EngineNoise(logging.Filter):
    """Keeps a database that does not answer out of the engine's log.

    Args:
        patience: whether people were told already.
        clock: the time.
    """

    def __init__(self, patience: Patience, clock: Clock) -> None:
        super().__init__()
        self._patience = patience
        self._clock = clock
        self._first: float | None = None
        self._last = 0.0
        self._told_at: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is shown; of trouble with the database one short line is, and rarely."""
        text = record.getMessage()
        if not _TROUBLE.search(text) and record.exc_info is None:
            return True
        now = self._clock.monotonic()
        if self._first is None or now - self._last > _LASTS_S:
            self._first = now
        self._last = now
        if self._patience.is_out or now - self._first < _LASTS_S or self._was_told(now):
            return False
        self._told_at = now
        line = text.strip().splitlines()[0] if text.strip() else record.levelname
        record.msg = f"the engine's database has not answered for {_LASTS_S:g} s ({line})"
        record.args, record.exc_info, record.exc_text = None, None, None
        return True

    def _was_told(self, now: float) -> bool:
        return self._told_at is not None and now - self._told_at < _AGAIN_S
