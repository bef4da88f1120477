"""Which worker has room under which cap, and who waits for it."""

import sqlalchemy as sa

from storage.base.metadata import metadata
from storage.base.types import UtcDateTime, Words

cap_permits = sa.Table(
    "cap_permits",
    metadata,
    sa.Column("cap", Words, primary_key=True),
    sa.Column("worker", Words, primary_key=True),
    sa.Column("id", Words, primary_key=True),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
)
"""Used on PostgreSQL, by the database's clock. One that is not ``held`` waits; it counts for a
few seconds after it was last asked for (``seen_at``)."""
