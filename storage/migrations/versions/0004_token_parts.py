"""What the tokens sent were: of attempts from now on; those before stay unknown.

Revision: 0004
Before it: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None

PARTS = ("prompt_tokens", "text_tokens", "resent_tokens", "tool_tokens")


def upgrade() -> None:
    for name in PARTS:
        op.add_column("attempts", sa.Column(name, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for name in PARTS:
        op.drop_column("attempts", name)
