"""How long to wait when nobody says how long: longer each time, never longer than half an hour."""

import zlib
from datetime import datetime, timedelta

from noctule.core.llm.limits import LimitKey
from noctule.core.provider_errors.parse import margin_seconds
from noctule.core.provider_errors.refusals import Evidence

LONGEST_PACE = timedelta(seconds=63)
"""A known wait of at most this much, a minute and its margin, paces requests (``Retry-After: 20``);
it ends no window."""

_FIRST_S = 60.0
_LONGEST_S = 1740.0
"""With the most jitter it is half an hour."""

_MOST_DOUBLINGS = 10


def guessed_wait(key: LimitKey, guesses: int, at: datetime, *, least_s: float = 0.0) -> timedelta:
    """Return how long to leave a limit alone whose end nobody knows.

    A minute and its margin at first, then 2 min, 4 min, and so on to half an hour. Later guesses
    are longer by up to 5 %, as drawn from key and moment, so that machines that were refused
    together do not come back together again and again.

    Args:
        key: whom it concerns.
        guesses: how often its end was guessed without an answer in between, this time included.
        at: when it was refused.
        least_s: seconds that somebody else guessed; the longer one counts, within the bound.
    """
    seconds = _FIRST_S * 2 ** min(max(guesses - 1, 0), _MOST_DOUBLINGS)
    seconds = min(max(seconds, least_s), _LONGEST_S)
    drawn = 1.0
    if guesses > 1:
        drawn = zlib.crc32(f"{key} {guesses} {at.isoformat()}".encode()) / 2**32
    return timedelta(seconds=seconds + drawn * margin_seconds(seconds))


def is_window(evidence: Evidence | None, wait: timedelta) -> bool:
    """Whether a refusal closed a window whose end is known: told or configured, and no mere pace.

    Args:
        evidence: where the end came from.
        wait: from now to it, margin included.
    """
    return evidence not in {None, Evidence.GUESS} and wait > LONGEST_PACE
