"""When machines slept although there was work.

Revision: 0012
Before it: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "suspensions",
        sa.Column("id", ID, nullable=False),
        sa.Column("machine", TEXT, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suspensions"),
    )
    op.create_index("ix_suspensions_ended_at", "suspensions", ["ended_at"])


def downgrade() -> None:
    op.drop_table("suspensions")
