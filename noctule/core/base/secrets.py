"""Secrets at rest: what was said in a turn is kept without its keys once the turn has ended."""

import hmac
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from noctule.core.base.masking import Masker
from noctule.core.base.secret_forms import PLACEHOLDER

_DIGITS = 12

_OURS = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[67][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\d{12}\.[0-9a-f]{8}"
)
"""Texts that are a time, an id or the version of a channel as a whole: no secret of anybody's,
and what is stored cannot be read again without them."""


@dataclass(frozen=True, slots=True)
class EndedTurn:
    """A turn that has ended, and may have left secrets.

    Args:
        turn_id: which.
        session_id: of which session.
        ended_at: when; another end makes it another one.
    """

    turn_id: str
    session_id: str
    ended_at: datetime


@dataclass(slots=True)
class Replacer:
    """Puts the same placeholder in place of the same secret, and remembers what it replaced.

    Args:
        key: of the data folder: without it nobody can try out what a placeholder stands for.
        values: what is known to be secret.
        names: of models and endpoints: where a text is nothing but one, it stays.
    """

    key: bytes
    values: Iterable[str] = ()
    names: Collection[str] = ()
    gone: set[str] = field(default_factory=set)

    @property
    def masker(self) -> Masker:
        """What finds and replaces, also what was found before wherever else it stands."""
        return Masker((*self.values, *self.gone), self.mark, leave=self._is_structure)

    def _is_structure(self, text: str) -> bool:
        return text in self.names or _OURS.fullmatch(text) is not None

    def mark(self, secret: str) -> str:
        """Return what stands for a secret, and remember it."""
        self.gone.add(secret)
        return placeholder(self.key, secret)


def placeholder(key: bytes, secret: str) -> str:
    """Return what stands in a secret's place for good: ``[secret:0123456789ab]``."""
    digest = hmac.new(key, b"placeholder\0" + secret.encode("utf-8", "replace"), "sha256")
    return PLACEHOLDER.format(digest.hexdigest()[:_DIGITS])


class SecretStore(Protocol):
    """Secrets of turns that have ended, in rows."""

    async def due(self, *, session_id: str | None = None, limit: int = 100) -> list[EndedTurn]:
        """Return turns whose secrets were not replaced since their end, the earliest first.

        Args:
            session_id: of one session; None means of all.
            limit: how many at most.
        """
        ...

    async def is_begun(self, session_id: str) -> bool:
        """Return whether a turn of a session has begun and not ended."""
        ...

    async def replace(self, ended: EndedTurn, masker: Masker) -> None:
        """Replace what a masker finds in all rows of a turn.

        Its texts and events, its questions, journal and mail; the title of its session; messages
        of messengers that came meanwhile and are done with; notes its owner's agents wrote. What
        was allowed with a secret in it is taken back.
        """
        ...

    async def done(self, ended: EndedTurn) -> None:
        """Note that nothing of a turn is left to be replaced."""
        ...
