"""Ids that sort by the moment they were made (UUID version 7, RFC 9562)."""

import os
import uuid

from noctule.core.clock import Clock

_RANDOM_BITS = 74


def new_id(clock: Clock) -> str:
    """Return a new id; ids made in a later millisecond sort after it.

    Args:
        clock: says the millisecond that leads the id.
    """
    milliseconds = int(clock.now().timestamp() * 1000)
    random = int.from_bytes(os.urandom(10)) & ((1 << _RANDOM_BITS) - 1)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low))
