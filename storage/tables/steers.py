"""What people say to turns while they work; columns in the order of ``Steer``."""

import sqlalchemy as sa

from storage.base.metadata import metadata
from storage.base.types import Id, UtcDateTime, Words

steers = sa.Table(
    "steers",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("turn_id", Id, sa.ForeignKey("turns.id"), nullable=False),
    sa.Column("text", Words, nullable=False),
    sa.Column("said_at", UtcDateTime, nullable=False),
    sa.Column("taken_at", UtcDateTime),
    sa.Index(None, "turn_id", "id"),
)
