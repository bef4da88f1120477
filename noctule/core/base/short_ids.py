"""Ids cut to an end that is still theirs alone; every command takes such an end.

Ids begin with the moment they were made (UUIDv7), so the beginnings of one evening look alike; the
ends are random.
"""

import itertools
from collections.abc import Collection

SHORT_CHARS = 8
"""32 random bits: among a thousand ids, one chance in eight thousand that two share them."""


def short_ids(ids: Collection[str], *, least: int = SHORT_CHARS) -> dict[str, str]:
    """Return the shortest end of each id that no other one shares.

    Args:
        ids: all there are of the kind, or what they share is not known.
        least: characters an end has in any case.
    """
    reversed_ids = {name[::-1]: name for name in ids}
    ordered = sorted(reversed_ids)
    shared = [0, *(_shared(a, b) for a, b in itertools.pairwise(ordered)), 0]
    return {
        reversed_ids[end]: end[: max(least, shared[i] + 1, shared[i + 1] + 1)][::-1]
        for i, end in enumerate(ordered)
    }


def short_id(name: str | None) -> str:
    """Return the end of one id that tells it from others; ``-`` for None."""
    return "-" if name is None else name[-SHORT_CHARS:]


def _shared(one: str, other: str) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
