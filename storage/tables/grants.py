"""What people allowed beyond the configuration; columns in the order of ``Grant``."""

import sqlalchemy as sa

from storage.base.metadata import metadata
from storage.base.types import Id, Json, UtcDateTime, Words

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("owner", Words, nullable=False),
    sa.Column("rule", Words, nullable=False),
    sa.Column("granted_at", UtcDateTime, nullable=False),
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id")),
    sa.Column("tool", Words),
    sa.Column("server", Words),
    sa.Column("workspace", Words),
    sa.Column("seal", Json),
    sa.Column("despite_outside", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "owner", "session_id"),
)
