"""How long and how often a limit was waited for in vain; what is left alone.

Revision: 0008
Before it: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration must go on meaning what it meant.
MOMENT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column(
        "limits", sa.Column("guesses", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("limits", sa.Column("since", MOMENT, nullable=True))
    op.add_column("limits", sa.Column("left_alone_until", MOMENT, nullable=True))
    # Until now guesses were counted as windows.
    op.execute("UPDATE limits SET guesses = windows, windows = 0 WHERE evidence = 'guess'")
    op.add_column("parkings", sa.Column("vain_since", MOMENT, nullable=True))
    op.add_column("parkings", sa.Column("vain", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("parkings", "vain")
    op.drop_column("parkings", "vain_since")
    op.drop_column("limits", "left_alone_until")
    op.drop_column("limits", "since")
    op.drop_column("limits", "guesses")
