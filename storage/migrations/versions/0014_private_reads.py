"""When a session first read what is its person's alone.

Revision: 0014
Before it: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("sessions", sa.Column("private_since", MOMENT, nullable=True))
    # What was read from outside by then may have been a file of a given folder.
    op.execute("UPDATE sessions SET private_since = outside_since WHERE workspace IS NOT NULL")


def downgrade() -> None:
    op.drop_column("sessions", "private_since")
