"""What providers say of the money of keys."""

import sqlalchemy as sa

from storage.base.metadata import metadata
from storage.base.types import NanoUsd, UtcDateTime, Words

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("endpoint", Words, primary_key=True),
    sa.Column("key_fingerprint", Words, primary_key=True),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Column("trouble", Words),
    sa.Column("answered_at", UtcDateTime),
    sa.Column("limit_nano_usd", NanoUsd),
    sa.Column("spent_nano_usd", NanoUsd),
    sa.Column("left_nano_usd", NanoUsd),
    sa.Column("unlimited", sa.Boolean, nullable=False),
    sa.Column("resets_at", UtcDateTime),
    sa.Column("never_resets", sa.Boolean, nullable=False),
    sa.Column("words", Words),
)
"""Without ``words`` there was never an answer."""
