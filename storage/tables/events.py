"""What watchers of a session see, and the last number given out in each session."""

import sqlalchemy as sa

from noctule.core.llm.events import EventKind
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, Json, UtcDateTime

# The counter stands apart from the rows: deltas are pruned, numbers are never given out twice.
event_heads = sa.Table(
    "event_heads",
    metadata,
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id"), primary_key=True),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id"), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("turn_id", Id, nullable=False),
    sa.Column("kind", EnumText(EventKind), nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Index(None, "turn_id", "kind"),
    sqlite_with_rowid=False,
)
