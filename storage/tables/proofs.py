"""What came of asking models to call tools."""

import sqlalchemy as sa

from noctule.core.llm.proofs import ProofOutcome
from storage.base.metadata import metadata
from storage.base.types import EnumText, Json, UtcDateTime, Words

proofs = sa.Table(
    "proofs",
    metadata,
    sa.Column("endpoint", Words, primary_key=True),
    sa.Column("model", Words, primary_key=True),
    sa.Column("version", Words, primary_key=True),
    sa.Column("outcome", EnumText(ProofOutcome), nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("latency_s", sa.Double),
    sa.Column("probed_at", UtcDateTime, nullable=False),
    sa.Column("cases", Json, nullable=False),
    sa.Column("imitations", sa.Integer, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
)
