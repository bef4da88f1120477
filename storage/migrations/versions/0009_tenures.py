"""Who carries which session, by an epoch that rises with every taking.

Revision: 0009
Before it: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
TEXT = sa.Text()
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "session_tenures",
        sa.Column("session_id", TEXT, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("worker", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("session_id", name="pk_session_tenures"),
    )
    op.create_index("ix_session_tenures_worker", "session_tenures", ["worker"])
    op.create_table(
        "workers",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )


def downgrade() -> None:
    op.drop_table("workers")
    op.drop_table("session_tenures")
