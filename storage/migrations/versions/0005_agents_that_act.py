"""Effects, questions, grants, notes, proofs, steers; workspaces of sessions; whom parkings ask.

Revision: 0005
Before it: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
UNANSWERED = sa.text("answered_at IS NULL")

# FTS5 refers to the rows of notes and keeps no text of its own (https://sqlite.org/fts5.html,
# 4.4.3, external content); its deletions need the old words, which triggers have.
SQLITE_WORDS = (
    "CREATE VIRTUAL TABLE note_words USING fts5("
    "words, content='notes', content_rowid='number', tokenize='unicode61 remove_diacritics 0')",
    "CREATE TRIGGER note_words_added AFTER INSERT ON notes BEGIN "
    "INSERT INTO note_words(rowid, words) VALUES (new.number, new.words); END",
    "CREATE TRIGGER note_words_dropped AFTER DELETE ON notes BEGIN "
    "INSERT INTO note_words(note_words, rowid, words) VALUES ('delete', old.number, old.words); "
    "END",
    "CREATE TRIGGER note_words_changed AFTER UPDATE ON notes BEGIN "
    "INSERT INTO note_words(note_words, rowid, words) VALUES ('delete', old.number, old.words); "
    "INSERT INTO note_words(rowid, words) VALUES (new.number, new.words); END",
)
POSTGRES_WORDS = ("CREATE INDEX note_words ON notes USING gin (to_tsvector('simple', words))",)


def upgrade() -> None:
    op.add_column("sessions", sa.Column("workspace", TEXT, nullable=True))
    op.add_column("sessions", sa.Column("outside_since", MOMENT, nullable=True))
    op.add_column("parkings", sa.Column("tool_call_id", ID, nullable=True))
    _effects()
    _questions()
    _grants()
    _notes()
    _proofs()
    _steers()


def _effects() -> None:
    op.create_table(
        "effects",
        sa.Column("session_id", ID, nullable=False),
        sa.Column("tool_call_id", ID, nullable=False),
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("tool", TEXT, nullable=False),
        sa.Column("arguments", TEXT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("before", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("result", TEXT, nullable=True),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_effects_session_id_sessions"
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_effects_turn_id_turns"),
        sa.PrimaryKeyConstraint("session_id", "tool_call_id", name="pk_effects"),
    )


def _questions() -> None:
    op.create_table(
        "questions",
        sa.Column("id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("tool_call_id", ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("choices", TEXT, nullable=False),
        sa.Column("tool", TEXT, nullable=True),
        sa.Column("subject", TEXT, nullable=True),
        sa.Column("answer", TEXT, nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("answered_by", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_questions_session_id_sessions"
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_questions_turn_id_turns"),
        sa.PrimaryKeyConstraint("id", name="pk_questions"),
        sa.UniqueConstraint(
            "session_id", "tool_call_id", name="uq_questions_session_id_tool_call_id"
        ),
    )
    op.create_index(
        "ix_questions_unanswered",
        "questions",
        ["turn_id", "id"],
        sqlite_where=UNANSWERED,
        postgresql_where=UNANSWERED,
    )


def _grants() -> None:
    op.create_table(
        "grants",
        sa.Column("id", ID, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("granted_at", MOMENT, nullable=False),
        sa.Column("session_id", ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_grants_session_id_sessions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
    )
    op.create_index("ix_grants_owner_session_id", "grants", ["owner", "session_id"])


def _notes() -> None:
    op.create_table(
        "notes",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("written_at", MOMENT, nullable=False),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("words", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_notes"),
        sa.UniqueConstraint("owner", "title", name="uq_notes_owner_title"),
    )
    op.create_index("ix_notes_owner_written_at", "notes", ["owner", "written_at"])
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_WORDS if on_sqlite else POSTGRES_WORDS:
        op.execute(statement)


def _proofs() -> None:
    op.create_table(
        "proofs",
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("latency_s", sa.Double(), nullable=True),
        sa.Column("probed_at", MOMENT, nullable=False),
        sa.Column("cases", TEXT, nullable=False),
        sa.Column("imitations", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "model", "version", name="pk_proofs"),
    )


def _steers() -> None:
    op.create_table(
        "steers",
        sa.Column("id", ID, nullable=False),
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("said_at", MOMENT, nullable=False),
        sa.Column("taken_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_steers_turn_id_turns"),
        sa.PrimaryKeyConstraint("id", name="pk_steers"),
    )
    op.create_index("ix_steers_turn_id_id", "steers", ["turn_id", "id"])


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE note_words")
    for table in ("steers", "proofs", "notes", "grants", "questions", "effects"):
        op.drop_table(table)
    op.drop_column("parkings", "tool_call_id")
    op.drop_column("sessions", "outside_since")
    op.drop_column("sessions", "workspace")
