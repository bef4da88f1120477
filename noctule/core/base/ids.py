"""Ids that sort by the moment they were made (UUID version 7, RFC 9562)."""

import os
import uuid

from noctule.core.clock import Clock

_RANDOM_BITS = 62

SHORTEST_ENDING = 4
"""Characters an ending must have before it names an id; fewer would fit by accident."""


def new_id(clock: Clock) -> str:
    """Return a new id; ids made in a later microsecond sort after it.

    The milliseconds lead, their fraction follows in the 12 bits after the version (RFC 9562,
    6.2, method 3), so that the attempts of one call sort as they were made.

    Args:
        clock: says the moment.
    """
    now = clock.now()
    micros = int(now.timestamp()) * 1_000_000 + now.microsecond
    milliseconds, fraction = divmod(micros, 1000)
    high = (fraction << 12) // 1000
    low = int.from_bytes(os.urandom(8)) & ((1 << _RANDOM_BITS) - 1)
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low))
