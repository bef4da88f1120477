"""The journal of tool calls with a consequence."""

import sqlalchemy as sa

from noctule.core.tools.effects import EffectState
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, Json, UtcDateTime, Words

effects = sa.Table(
    "effects",
    metadata,
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id"), primary_key=True),
    sa.Column("tool_call_id", Id, primary_key=True),
    sa.Column("turn_id", Id, sa.ForeignKey("turns.id"), nullable=False),
    sa.Column("tool", Words, nullable=False),
    sa.Column("arguments", Json, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("before", Json, nullable=False),
    sa.Column("state", EnumText(EffectState), nullable=False),
    sa.Column("result", Words),
    sa.Column("failed", sa.Boolean, nullable=False),
    sa.Column("ended_at", UtcDateTime),
)
