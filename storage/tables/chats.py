"""Where people talk through a messenger, what their chats watch, and who may."""

import sqlalchemy as sa

from noctule.core.messaging.chats import WatchKind
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, Json, UtcDateTime, Words

chats = sa.Table(
    "chats",
    metadata,
    sa.Column("channel", Id, primary_key=True),
    sa.Column("place", Id, primary_key=True),
    sa.Column("owner", Words, nullable=False),
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id")),
    sa.Column("settings", Json, nullable=False),
    sa.Column("heard_at", UtcDateTime),
)

watches = sa.Table(
    "watches",
    metadata,
    sa.Column("channel", Id, primary_key=True),
    sa.Column("place", Id, primary_key=True),
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id"), primary_key=True),
    sa.Column("kind", EnumText(WatchKind), nullable=False),
    sa.Column("seen_seq", sa.BigInteger, nullable=False),
)

persons = sa.Table(
    "persons",
    metadata,
    sa.Column("channel", Id, primary_key=True),
    sa.Column("person", Id, primary_key=True),
    sa.Column("owner", Words, nullable=False),
    sa.Column("name", Words, nullable=False),
    sa.Column("admitted_at", UtcDateTime, nullable=False),
)

pairings = sa.Table(
    "pairings",
    metadata,
    sa.Column("channel", Id, primary_key=True),
    sa.Column("person", Id, primary_key=True),
    sa.Column("place", Id, nullable=False),
    sa.Column("name", Words, nullable=False),
    sa.Column("code_digest", Words, nullable=False),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("wrong", sa.Integer, nullable=False),
    sa.Column("locked_until", UtcDateTime),
)
