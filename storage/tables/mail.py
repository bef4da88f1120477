"""What came in from a messenger and what is to go out."""

import sqlalchemy as sa

from noctule.core.messaging.messages import OutgoingKind, OutgoingState
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, Json, UtcDateTime, Words

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("channel", Id, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("place", Id, nullable=False),
    sa.Column("payload", Json, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("handled_at", UtcDateTime),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("error", Words),
)

unhandled = inbox.c.handled_at.is_(None)

sa.Index(
    "ix_inbox_waiting",
    inbox.c.channel,
    inbox.c.number,
    sqlite_where=unhandled,
    postgresql_where=unhandled,
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("channel", Id, nullable=False),
    sa.Column("place", Id, nullable=False),
    sa.Column("key", Words, nullable=False),
    sa.Column("kind", EnumText(OutgoingKind), nullable=False),
    sa.Column("purpose", Words, nullable=False),
    sa.Column("body", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("session_id", Id),
    sa.Column("turn_id", Id),
    sa.Column("edits", Words),
    sa.Column("silent", sa.Boolean, nullable=False),
    sa.Column("not_before", UtcDateTime),
    sa.Column("state", EnumText(OutgoingState), nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("message_id", Words),
    sa.Column("repeated", sa.Boolean, nullable=False),
    sa.Column("sent_at", UtcDateTime),
    sa.Column("error", Words),
    sa.Index(None, "channel", "place", "message_id"),
)

# Spelled with literals: SQLite uses a partial index only for the very condition it was made with.
underway = outbox.c.state.in_([sa.literal_column("'pending'"), sa.literal_column("'sending'")])
once = outbox.c.kind != sa.literal_column("'edit'")

sa.Index(
    "ix_outbox_waiting",
    outbox.c.channel,
    outbox.c.id,
    sqlite_where=underway,
    postgresql_where=underway,
)

# What is sent is sent once; an edit may be made again under the same key.
sa.Index(
    "uq_outbox_key",
    outbox.c.channel,
    outbox.c.key,
    unique=True,
    sqlite_where=once,
    postgresql_where=once,
)
sa.Index("ix_outbox_key", outbox.c.channel, outbox.c.key)
