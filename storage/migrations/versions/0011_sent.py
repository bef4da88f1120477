"""Whether the request that money is held for may have left; what was taken back.

Revision: 0011
Before it: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column(
        "budget_holds", sa.Column("sent", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.create_table(
        "budget_corrections",
        sa.Column("id", ID, nullable=False),
        sa.Column("budget", ID, nullable=False),
        sa.Column("amount_nano_usd", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("why", TEXT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_budget_corrections"),
    )


def downgrade() -> None:
    op.drop_table("budget_corrections")
    op.drop_column("budget_holds", "sent")
