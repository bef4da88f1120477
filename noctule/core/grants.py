"""Grants: what a person has allowed beyond the configuration."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """One allowance.

    Args:
        id: sortable.
        owner: who gave it, and for whose sessions it holds.
        rule: what it allows, in the words of ``tools.permissions``: ``web``, ``shell``,
            ``shell:git push*``.
        session_id: the session it holds for; None means all of the owner's.
        granted_at: aware.
    """

    id: str
    owner: str
    rule: str
    granted_at: datetime
    session_id: str | None = None
