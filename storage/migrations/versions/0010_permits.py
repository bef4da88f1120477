"""Room under caps that hold across workers.

Revision: 0010
Before it: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
TEXT = sa.Text()
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "cap_permits",
        sa.Column("cap", TEXT, nullable=False),
        sa.Column("worker", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("cap", "worker", "id", name="pk_cap_permits"),
    )


def downgrade() -> None:
    op.drop_table("cap_permits")
