"""Conversations and tasks; columns in the order of ``core.sessions.sessions.Session``."""

import sqlalchemy as sa

from noctule.core.sessions.sessions import SessionKind
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, NanoUsd, UtcDateTime, Words

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("owner", Words, nullable=False),
    sa.Column("kind", EnumText(SessionKind), nullable=False),
    sa.Column("title", Words),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("private", sa.Boolean, nullable=False),
    sa.Column("chat_model", Words),
    sa.Column("budget_nano_usd", NanoUsd, key="budget_usd"),
    sa.Column("workspace", Words),
    sa.Column("outside_since", UtcDateTime),
    sa.Column("private_since", UtcDateTime),
    sa.Index(None, "owner", "id"),
)
