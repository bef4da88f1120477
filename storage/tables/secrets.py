"""Which turns' secrets have been replaced, and as of which end."""

import sqlalchemy as sa

from storage.base.metadata import metadata
from storage.base.types import Id, UtcDateTime

secrets_replaced = sa.Table(
    "secrets_replaced",
    metadata,
    sa.Column("turn_id", Id, sa.ForeignKey("turns.id"), primary_key=True),
    sa.Column("ended_at", UtcDateTime, nullable=False),
)
"""A turn that failed, went on and ended again has another end than the one that stands here."""
