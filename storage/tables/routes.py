"""The orchestrator's decision for each turn."""

import sqlalchemy as sa

from noctule.core.llm.routes import Complexity, DecidedBy
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, Json, Words

routes = sa.Table(
    "routes",
    metadata,
    sa.Column("turn_id", Id, sa.ForeignKey("turns.id"), primary_key=True),
    sa.Column("roles", Json, nullable=False),
    sa.Column("complexity", EnumText(Complexity), nullable=False),
    sa.Column("by", EnumText(DecidedBy), nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Column("confidence", sa.Double),
)
