"""What is refused until when."""

import sqlalchemy as sa

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence
from storage.base.metadata import metadata
from storage.base.types import EnumText, UtcDateTime, Words

WHOLE_KEY = ""
"""In ``model``: every model of the key (a primary key cannot hold NULL)."""

limits = sa.Table(
    "limits",
    metadata,
    sa.Column("endpoint", Words, primary_key=True),
    sa.Column("key_fingerprint", Words, primary_key=True),
    sa.Column("model", Words, primary_key=True),
    sa.Column("outcome", EnumText(Outcome), nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Column("not_before", UtcDateTime),
    sa.Column("evidence", EnumText(Evidence)),
    sa.Column("set_at", UtcDateTime, nullable=False),
    sa.Column("windows", sa.Integer, nullable=False),
    sa.Column("guesses", sa.Integer, nullable=False, server_default="0"),
    sa.Column("since", UtcDateTime),
    sa.Column("left_alone_until", UtcDateTime),
)
