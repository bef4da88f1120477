"""Ids cut to a beginning that is still theirs alone; every command takes such a beginning."""

import itertools
from collections.abc import Collection

SESSION_CHARS = 13
"""The milliseconds of a UUIDv7: two sessions rarely begin in the same one."""

TURN_CHARS = 18
"""With the fraction of the millisecond, so that it is not the beginning of its session's id too."""


def short_ids(ids: Collection[str], *, least: int = SESSION_CHARS) -> dict[str, str]:
    """Return the shortest beginning of each id that no other one shares.

    Args:
        ids: all there are of the kind, or what they share is not known.
        least: characters a beginning has in any case.
    """
    ordered = sorted(set(ids))
    shared = [0, *(_shared(a, b) for a, b in itertools.pairwise(ordered)), 0]
    return {
        name: name[: max(least, shared[i] + 1, shared[i + 1] + 1)] for i, name in enumerate(ordered)
    }


def short_turn(turn_id: str | None) -> str:
    """Return the beginning of a turn's id that tells it from others; ``-`` for None."""
    return "-" if turn_id is None else turn_id[:TURN_CHARS]


def _shared(one: str, other: str) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
