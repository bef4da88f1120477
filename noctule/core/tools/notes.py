"""Notes: what agents remember for a person beyond one session."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Note:
    """One note.

    Args:
        id: sortable.
        owner: whose.
        title: a few words, unique per owner; writing it again replaces the text.
        text: what is remembered.
        written_at: the last time, aware.
        session_id: where it was last written; None when no session did.
        private: whether it was last written in a private session. It stays so when that session
            is deleted.
    """

    id: str
    owner: str
    title: str
    text: str
    written_at: datetime
    session_id: str | None = None
    private: bool = False
