"""What turns wait to hear from their persons."""

import sqlalchemy as sa

from noctule.core.sessions.questions import QuestionKind
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, Json, UtcDateTime, Words

questions = sa.Table(
    "questions",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id"), nullable=False),
    sa.Column("turn_id", Id, sa.ForeignKey("turns.id"), nullable=False),
    sa.Column("tool_call_id", Id, nullable=False),
    sa.Column("kind", EnumText(QuestionKind), nullable=False),
    sa.Column("text", Words, nullable=False),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Column("choices", Json, nullable=False),
    sa.Column("tool", Words),
    sa.Column("subject", Words),
    sa.Column("answer", Words),
    sa.Column("answered_at", UtcDateTime),
    sa.Column("answered_by", Words),
    sa.Column("server", Words),
    sa.Column("workspace", Words),
    sa.Column("seal", Json),
    sa.UniqueConstraint("session_id", "tool_call_id"),
)

# Spelled as the queries spell it: SQLite uses a partial index only for that very condition.
unanswered = questions.c.answered_at.is_(None)

sa.Index(
    "ix_questions_unanswered",
    questions.c.turn_id,
    questions.c.id,
    sqlite_where=unanswered,
    postgresql_where=unanswered,
)
