"""When machines slept; columns in the order of ``core.sessions.suspensions.Suspension``."""

import sqlalchemy as sa

from storage.base.metadata import metadata
from storage.base.types import Id, UtcDateTime, Words

suspensions = sa.Table(
    "suspensions",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("machine", Words, nullable=False),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime, nullable=False, index=True),
)
