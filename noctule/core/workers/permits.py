"""Permits: what several workers may do at once, all of them together.

Each process decides by itself who of its own goes next; a permit says that the others leave room
for it. Only databases that several workers share have any.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol


class Permits(Protocol):
    """Room under caps that hold across workers."""

    async def take(self, permit_id: str, caps: Mapping[str, int], *, rank: int) -> Collection[str]:
        """Take room under all of some caps at once, or none.

        A process that dies gives back what it holds within seconds. Whoever is told that there is
        no room keeps a place in the line of all workers for ten seconds after asking, so that
        others do not go first again and again.

        Args:
            permit_id: names it within this process; the same one when it is asked for again.
            caps: what it counts against, each with how many may be taken in all.
            rank: a smaller one goes first among those who wait.

        Returns:
            The caps that are full; () when it was taken.

        Raises:
            DatabaseBusyError: somebody else held the database for too long.
            StorageUnavailableError: the database does not answer.
        """
        ...

    def give_back(self, permit_id: str) -> None:
        """Give one back, or its place in the line: in the background, tried until it is done."""
        ...

    def on_room(self, tell: Callable[[str], None]) -> None:
        """Have somebody told of a cap under which another worker made room."""
        ...
