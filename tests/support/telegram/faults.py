"""What goes wrong on purpose, as data: the next calls that fit get it, one each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tests.support.telegram.refusals import Refusal, too_many_requests


class Trouble(StrEnum):
    """Ways in which a call goes wrong."""

    REFUSE = "refuse"
    """Nothing happens and the API says so."""

    HANG_BEFORE = "hang_before"
    """Nothing happens and no answer comes: the client runs into its time-out."""

    HANG_AFTER = "hang_after"
    """It is done, and no answer comes."""

    DROP_BEFORE = "drop_before"
    """Nothing happens and the connection is closed."""

    DROP_AFTER = "drop_after"
    """It is done, and the connection is closed without an answer."""

    SLOW = "slow"
    """It is done and answered, late."""


BEFORE = frozenset({Trouble.REFUSE, Trouble.HANG_BEFORE, Trouble.DROP_BEFORE})


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Args:
        trouble: how.
        method: calls of this method only, however it is spelled; None means any but getUpdates.
        chat: calls about this chat only; None means any.
        times: how many calls get it; None means all of them, for ever.
        skip: how many fitting calls go well before.
        code: the HTTP status of a refusal.
        description: what a refusal says, in full.
        parameters: of a refusal; {} sends none.
        seconds: how late, for ``slow``.
    """

    trouble: Trouble
    method: str | None = None
    chat: int | None = None
    times: int | None = 1
    skip: int = 0
    code: int = 500
    description: str = "Internal Server Error"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def refusal(self) -> Refusal:
        """What a refusal answers."""
        return Refusal(self.code, self.description, dict(self.parameters) or None)

    def fits(self, method: str, chat: int | None) -> bool:
        """Return whether a call is one of those it is for."""
        if self.method is None:
            fits = method.lower() != "getupdates"
        else:
            fits = method.lower() == self.method.lower()
        return fits and self.chat in (None, chat)

    @classmethod
    def refuse(cls, refusal: Refusal, **where: Any) -> "Fault":
        """Refuse with a given answer; ``where`` are the other arguments of a fault."""
        return cls(
            Trouble.REFUSE,
            code=refusal.code,
            description=refusal.description,
            parameters=refusal.parameters or {},
            **where,
        )

    @classmethod
    def flood(cls, retry_after: int, **where: Any) -> "Fault":
        """Refuse with 429 and the seconds to wait."""
        return cls.refuse(too_many_requests(retry_after), **where)

    @classmethod
    def missing(cls, method: str) -> "Fault":
        """Let a method not be there, as on an older Bot API server."""
        return cls.refuse(Refusal(404, "Not Found: method not found"), method=method, times=None)

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "Fault":
        """Build one from JSON; the keys are the names of the arguments."""
        return cls(**{**entry, "trouble": Trouble(entry["trouble"])})


class Faults:
    """The faults that wait for their calls."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    @property
    def waiting(self) -> list[Fault]:
        """Those that no call has had yet."""
        return list(self._waiting)

    def add(self, *faults: Fault) -> None:
        """Queue faults; of those that fit a call the first is taken."""
        self._waiting.extend(faults)

    def clear(self) -> None:
        """Let everything go well from now on."""
        self._waiting.clear()

    def take(self, method: str, chat: int | None) -> Fault | None:
        """Return what goes wrong with a call; None when nothing does."""
        for place, fault in enumerate(self._waiting):
            if not fault.fits(method, chat):
                continue
            if fault.skip:
                self._waiting[place] = replace(fault, skip=fault.skip - 1)
                return None
            if fault.times == 1:
                del self._waiting[place]
            elif fault.times is not None:
                self._waiting[place] = replace(fault, times=fault.times - 1)
            return fault
        return None
