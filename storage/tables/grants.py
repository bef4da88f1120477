"""What people allowed beyond the configuration; columns in the order of ``core.grants.Grant``."""

import sqlalchemy as sa

from storage.tables.metadata import metadata
from storage.types import Id, UtcDateTime, Words

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("owner", Words, nullable=False),
    sa.Column("rule", Words, nullable=False),
    sa.Column("granted_at", UtcDateTime, nullable=False),
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id")),
    sa.Index(None, "owner", "session_id"),
)
