"""Chats, watches, persons, pairings, inbox and outbox of messengers; where a turn came from.

Revision: 0006
Before it: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
UNHANDLED = sa.text("handled_at IS NULL")
UNDERWAY = sa.text("state IN ('pending', 'sending')")
ONCE = sa.text("kind != 'edit'")


def upgrade() -> None:
    _turns()
    _chats()
    _people()
    _inbox()
    _outbox()


def downgrade() -> None:
    for name in ("outbox", "inbox", "pairings", "persons", "watches", "chats"):
        op.drop_table(name)
    op.drop_index("uq_turns_origin", "turns")
    op.drop_column("turns", "attachments")
    op.drop_column("turns", "origin")


def _turns() -> None:
    op.add_column("turns", sa.Column("origin", TEXT, nullable=True))
    op.add_column("turns", sa.Column("attachments", TEXT, nullable=False, server_default="[]"))
    given = sa.text("origin IS NOT NULL")
    op.create_index(
        "uq_turns_origin",
        "turns",
        ["origin"],
        unique=True,
        sqlite_where=given,
        postgresql_where=given,
    )


def _chats() -> None:
    op.create_table(
        "chats",
        sa.Column("channel", ID, nullable=False),
        sa.Column("place", ID, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("settings", TEXT, nullable=False),
        sa.Column("heard_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], "fk_chats_session_id_sessions"),
        sa.PrimaryKeyConstraint("channel", "place", name="pk_chats"),
    )
    op.create_table(
        "watches",
        sa.Column("channel", ID, nullable=False),
        sa.Column("place", ID, nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("seen_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], "fk_watches_session_id_sessions"),
        sa.PrimaryKeyConstraint("channel", "place", "session_id", name="pk_watches"),
    )


def _people() -> None:
    op.create_table(
        "persons",
        sa.Column("channel", ID, nullable=False),
        sa.Column("person", ID, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("admitted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("channel", "person", name="pk_persons"),
    )
    op.create_table(
        "pairings",
        sa.Column("channel", ID, nullable=False),
        sa.Column("person", ID, nullable=False),
        sa.Column("place", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("code_digest", TEXT, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("locked_until", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("channel", "person", name="pk_pairings"),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("channel", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", ID, nullable=False),
        sa.Column("payload", TEXT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("handled_at", MOMENT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("channel", "number", name="pk_inbox"),
    )
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["channel", "number"],
        sqlite_where=UNHANDLED,
        postgresql_where=UNHANDLED,
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("channel", ID, nullable=False),
        sa.Column("place", ID, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("turn_id", ID, nullable=True),
        sa.Column("edits", TEXT, nullable=True),
        sa.Column("silent", sa.Boolean(), nullable=False),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("message_id", TEXT, nullable=True),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("error", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_key", "outbox", ["channel", "key"])
    op.create_index(
        "ix_outbox_channel_place_message_id", "outbox", ["channel", "place", "message_id"]
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["channel", "id"],
        sqlite_where=UNDERWAY,
        postgresql_where=UNDERWAY,
    )
    op.create_index(
        "uq_outbox_key",
        "outbox",
        ["channel", "key"],
        unique=True,
        sqlite_where=ONCE,
        postgresql_where=ONCE,
    )
