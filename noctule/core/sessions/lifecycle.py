"""The states of a turn and every legal move between them."""

from enum import StrEnum

from noctule.core.errors import IllegalMoveError


class Status(StrEnum):
    """Where a turn stands.

    A session shows that of its oldest unfinished turn, else of its latest.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PARKED = "parked"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether nothing more happens unless a person asks for it."""
        return self in {Status.DONE, Status.FAILED, Status.CANCELLED}


MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED}),
    Status.RUNNING: frozenset(
        {Status.PARKED, Status.WAITING, Status.DONE, Status.FAILED, Status.CANCELLED}
    ),
    Status.PARKED: frozenset({Status.RUNNING, Status.WAITING, Status.CANCELLED}),
    Status.WAITING: frozenset({Status.RUNNING, Status.CANCELLED}),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.DONE: frozenset(),
    Status.CANCELLED: frozenset(),
}


def check_move(turn_id: str, current: Status, wanted: Status) -> None:
    """Let a legal move pass.

    Raises:
        IllegalMoveError: the table of moves does not have it.
    """
    if wanted not in MOVES[current]:
        raise IllegalMoveError(turn_id=turn_id, current=current.value, wanted=wanted.value)
