"""Turns asleep."""

import sqlalchemy as sa

from noctule.core.provider_errors.refusals import Evidence
from noctule.core.sessions.parkings import ParkingKind
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, Json, UtcDateTime, Words

parkings = sa.Table(
    "parkings",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("turn_id", Id, sa.ForeignKey("turns.id"), nullable=False),
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id"), nullable=False),
    sa.Column("kind", EnumText(ParkingKind), nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Column("parked_at", UtcDateTime, nullable=False),
    sa.Column("wake_at", UtcDateTime),
    sa.Column("evidence", EnumText(Evidence)),
    sa.Column("key_endpoint", Words),
    sa.Column("key_fingerprint", Words),
    sa.Column("key_model", Words),
    sa.Column("model", Words),
    sa.Column("tried", Json, nullable=False),
    sa.Column("interrupt_id", Words),
    sa.Column("lap", sa.Integer, nullable=False),
    sa.Column("woken_at", UtcDateTime),
    sa.Column("tool_call_id", Id),
    sa.Column("vain_since", UtcDateTime),
    sa.Column("vain", sa.Integer, nullable=False, server_default="0"),
    sa.Index(None, "turn_id", "id"),
)

asleep = parkings.c.woken_at.is_(None)

sa.Index(
    "ix_parkings_asleep",
    parkings.c.wake_at,
    parkings.c.id,
    sqlite_where=asleep,
    postgresql_where=asleep,
)
