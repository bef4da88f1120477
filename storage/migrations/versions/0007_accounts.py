"""What providers say of the money of keys.

Revision: 0007
Before it: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
TEXT = sa.Text()
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
NANO_USD = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("key_fingerprint", TEXT, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("trouble", TEXT, nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("limit_nano_usd", NANO_USD, nullable=True),
        sa.Column("spent_nano_usd", NANO_USD, nullable=True),
        sa.Column("left_nano_usd", NANO_USD, nullable=True),
        sa.Column("unlimited", sa.Boolean(), nullable=False),
        sa.Column("resets_at", MOMENT, nullable=True),
        sa.Column("never_resets", sa.Boolean(), nullable=False),
        sa.Column("words", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("endpoint", "key_fingerprint", name="pk_accounts"),
    )


def downgrade() -> None:
    op.drop_table("accounts")
