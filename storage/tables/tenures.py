"""Who carries which session, and who is alive to do so."""

import sqlalchemy as sa

from storage.base.metadata import metadata
from storage.base.types import UtcDateTime, Words

session_tenures = sa.Table(
    "session_tenures",
    metadata,
    sa.Column("session_id", Words, primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("worker", Words, index=True),
)
"""``epoch`` rises with every taking, never falls; ``worker`` is None while nobody has it."""

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", Words, primary_key=True),
    sa.Column("until", UtcDateTime, nullable=False),
)
"""Leases of processes on PostgreSQL, by the database's clock; SQLite has one worker and no row."""
