"""Sessions, turns, routes, attempts, limits, budgets, events, parkings.

Revision: 0001
Before it: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
NANO_USD = sa.BigInteger()
UNFINISHED = sa.text("status NOT IN ('done', 'failed', 'cancelled')")
HELD = sa.text("state = 'held'")
ASLEEP = sa.text("woken_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", ID, nullable=False),
        sa.Column("call_id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("turn_id", ID, nullable=True),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("wait_s", sa.Double(), nullable=False),
        sa.Column("first_token_s", sa.Double(), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=True),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=True),
        sa.Column("reported_nano_usd", NANO_USD, nullable=True),
        sa.Column("cost_nano_usd", NANO_USD, nullable=True),
        sa.Column("cost_source", TEXT, nullable=True),
        sa.Column("fallback_from", TEXT, nullable=True),
        sa.Column("skipped", TEXT, nullable=False),
        sa.Column("message", TEXT, nullable=True),
        sa.Column("discarded", sa.Boolean(), nullable=False),
        sa.Column("tier", TEXT, nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_session_id_id", "attempts", ["session_id", "id"])
    op.create_index("ix_attempts_started_at", "attempts", ["started_at"])
    op.create_index("ix_attempts_turn_id_id", "attempts", ["turn_id", "id"])
    op.create_table(
        "budget_holds",
        sa.Column("id", ID, nullable=False),
        sa.Column("budget", ID, nullable=False),
        sa.Column("amount_nano_usd", NANO_USD, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", "budget", name="pk_budget_holds"),
    )
    op.create_index("ix_budget_holds_budget_at", "budget_holds", ["budget", "at"])
    op.create_index(
        "ix_budget_holds_open",
        "budget_holds",
        ["budget", "expires_at"],
        sqlite_where=HELD,
        postgresql_where=HELD,
    )
    op.create_table(
        "budget_windows",
        sa.Column("id", ID, nullable=False),
        sa.Column("limit_nano_usd", NANO_USD, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.Column("settled_nano_usd", NANO_USD, nullable=False),
        sa.Column("held_nano_usd", NANO_USD, nullable=False),
        sa.Column("recovered_nano_usd", NANO_USD, nullable=False),
        sa.Column("over_nano_usd", NANO_USD, nullable=False),
        sa.Column("warned", sa.Boolean(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_budget_windows"),
    )
    op.create_table(
        "limits",
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("key_fingerprint", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("evidence", TEXT, nullable=True),
        sa.Column("set_at", MOMENT, nullable=False),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "key_fingerprint", "model", name="pk_limits"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", ID, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("chat_model", TEXT, nullable=True),
        sa.Column("budget_nano_usd", NANO_USD, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_owner_id", "sessions", ["owner", "id"])
    op.create_table(
        "event_heads",
        sa.Column("session_id", ID, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_event_heads_session_id_sessions"
        ),
        sa.PrimaryKeyConstraint("session_id", name="pk_event_heads"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("session_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_events_session_id_sessions"
        ),
        sa.PrimaryKeyConstraint("session_id", "seq", name="pk_events"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_events_turn_id_kind", "events", ["turn_id", "kind"])
    op.create_table(
        "turns",
        sa.Column("id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("role", TEXT, nullable=True),
        sa.Column("model", TEXT, nullable=True),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("on_limit", TEXT, nullable=True),
        sa.Column("reply", TEXT, nullable=True),
        sa.Column("error", TEXT, nullable=True),
        sa.Column("verdict", TEXT, nullable=True),
        sa.Column("order", TEXT, nullable=True),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("wake_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_turns_session_id_sessions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
    )
    op.create_index("ix_turns_ended_at", "turns", ["ended_at"])
    op.create_index("ix_turns_session_id_id", "turns", ["session_id", "id"])
    op.create_index(
        "ix_turns_unfinished",
        "turns",
        ["session_id", "id"],
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )
    op.create_index(
        "ix_turns_due",
        "turns",
        ["status", "wake_at"],
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )
    op.create_table(
        "parkings",
        sa.Column("id", ID, nullable=False),
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("parked_at", MOMENT, nullable=False),
        sa.Column("wake_at", MOMENT, nullable=True),
        sa.Column("evidence", TEXT, nullable=True),
        sa.Column("key_endpoint", TEXT, nullable=True),
        sa.Column("key_fingerprint", TEXT, nullable=True),
        sa.Column("key_model", TEXT, nullable=True),
        sa.Column("model", TEXT, nullable=True),
        sa.Column("tried", TEXT, nullable=False),
        sa.Column("interrupt_id", TEXT, nullable=True),
        sa.Column("lap", sa.Integer(), nullable=False),
        sa.Column("woken_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_parkings_session_id_sessions"
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_parkings_turn_id_turns"),
        sa.PrimaryKeyConstraint("id", name="pk_parkings"),
    )
    op.create_index(
        "ix_parkings_asleep",
        "parkings",
        ["wake_at", "id"],
        sqlite_where=ASLEEP,
        postgresql_where=ASLEEP,
    )
    op.create_index("ix_parkings_turn_id_id", "parkings", ["turn_id", "id"])
    op.create_table(
        "routes",
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("roles", TEXT, nullable=False),
        sa.Column("complexity", TEXT, nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_routes_turn_id_turns"),
        sa.PrimaryKeyConstraint("turn_id", name="pk_routes"),
    )


def downgrade() -> None:
    for table in (
        "routes",
        "parkings",
        "turns",
        "events",
        "event_heads",
        "sessions",
        "limits",
        "budget_windows",
        "budget_holds",
        "attempts",
    ):
        op.drop_table(table)
