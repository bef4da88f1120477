"""What people said; columns in the order of ``core.sessions.sessions.Turn``."""

import sqlalchemy as sa

from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Order, Rating
from noctule.core.settings.role import OnLimit
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, Names, UtcDateTime, Words

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id"), nullable=False),
    sa.Column("text", Words, nullable=False),
    sa.Column("status", EnumText(Status), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("role", Words),
    sa.Column("model", Words),
    sa.Column("private", sa.Boolean, nullable=False),
    sa.Column("on_limit", EnumText(OnLimit)),
    sa.Column("reply", Words),
    sa.Column("error", Words),
    sa.Column("verdict", EnumText(Rating)),
    sa.Column("order", EnumText(Order)),
    sa.Column("started_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("wake_at", UtcDateTime),
    sa.Column("origin", Words),
    sa.Column("attachments", Names, nullable=False, server_default="[]"),
    sa.Index(None, "session_id", "id"),
    sa.Index(None, "ended_at"),
)

FINISHED: list[sa.ColumnElement[str]] = [
    sa.literal_column(f"'{status.value}'") for status in Status if status.finished
]

# Spelled with literals: SQLite uses a partial index only for the very condition it was made with.
unfinished = turns.c.status.not_in(FINISHED)

sa.Index(
    "ix_turns_unfinished",
    turns.c.session_id,
    turns.c.id,
    sqlite_where=unfinished,
    postgresql_where=unfinished,
)

sa.Index(
    "ix_turns_due",
    turns.c.status,
    turns.c.wake_at,
    sqlite_where=unfinished,
    postgresql_where=unfinished,
)

given = turns.c.origin.is_not(None)

sa.Index("uq_turns_origin", turns.c.origin, unique=True, sqlite_where=given, postgresql_where=given)
