"""Whether a note is of a private session, also when that session is deleted.

Revision: 0016
Before it: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "notes", sa.Column("private", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    # Of a session that was deleted nobody knows any more: it may have been private.
    op.execute(
        "UPDATE notes SET private = TRUE WHERE session_id IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM sessions WHERE sessions.id = notes.session_id AND NOT sessions.private)"
    )


def downgrade() -> None:
    op.drop_column("notes", "private")
