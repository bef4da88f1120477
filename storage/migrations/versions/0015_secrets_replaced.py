"""Which turns' secrets have been replaced. Of those that ended before, none have.

Revision: 0015
Before it: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "secrets_replaced",
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("turn_id", name="pk_secrets_replaced"),
        sa.ForeignKeyConstraint(
            ["turn_id"], ["turns.id"], name="fk_secrets_replaced_turn_id_turns"
        ),
    )


def downgrade() -> None:
    op.drop_table("secrets_replaced")
