"""What agents remember for a person.

``number`` is what SQLite's full-text index refers to a row by; ``words`` is what both databases
search, as ``storage.base.words`` makes them.
"""

import sqlalchemy as sa

from storage.base.metadata import metadata
from storage.base.types import Id, UtcDateTime, Words

notes = sa.Table(
    "notes",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", Id, nullable=False),
    sa.Column("owner", Words, nullable=False),
    sa.Column("title", Words, nullable=False),
    sa.Column("text", Words, nullable=False),
    sa.Column("written_at", UtcDateTime, nullable=False),
    sa.Column("session_id", Id),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("private", sa.Boolean, nullable=False),
    sa.UniqueConstraint("owner", "title"),
    sa.Index(None, "owner", "written_at"),
)

WORDS_INDEX = "note_words"
"""The full-text index: an FTS5 table on SQLite, a GIN index on PostgreSQL, made by migration."""
