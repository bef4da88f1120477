"""Grants bound to what was shown: tool, server, folder and the digests of its parts.

What was granted before keeps NULL in all of them. A grant of a session goes on holding there; a
lasting one allows nothing any more, so that each such call is asked about once.

Revision: 0013
Before it: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
TEXT = sa.Text()


def upgrade() -> None:
    for column in ("tool", "server", "workspace", "seal"):
        op.add_column("grants", sa.Column(column, TEXT))
    op.add_column(
        "grants",
        sa.Column("despite_outside", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    for column in ("server", "workspace", "seal"):
        op.add_column("questions", sa.Column(column, TEXT))


def downgrade() -> None:
    for column in ("seal", "workspace", "server"):
        op.drop_column("questions", column)
    for column in ("despite_outside", "seal", "workspace", "server", "tool"):
        op.drop_column("grants", column)
