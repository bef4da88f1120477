"""The routing log and the ledger.

No foreign keys: money stays on record whatever becomes of the session it was spent in.
"""

import sqlalchemy as sa

from noctule.core.llm.attempts import CostSource, Purpose
from noctule.core.provider_errors.outcomes import Outcome
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, Json, NanoUsd, UtcDateTime, Words

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("call_id", Id, nullable=False),
    sa.Column("session_id", Id),
    sa.Column("turn_id", Id),
    sa.Column("role", Words, nullable=False),
    sa.Column("purpose", EnumText(Purpose), nullable=False),
    sa.Column("model", Words, nullable=False),
    sa.Column("endpoint", Words, nullable=False),
    sa.Column("outcome", EnumText(Outcome), nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("wait_s", sa.Double, nullable=False),
    sa.Column("first_token_s", sa.Double),
    sa.Column("duration_s", sa.Double, nullable=False),
    sa.Column("input_tokens", sa.BigInteger),
    sa.Column("output_tokens", sa.BigInteger),
    sa.Column("cached_tokens", sa.BigInteger),
    sa.Column("cache_write_tokens", sa.BigInteger),
    sa.Column("reasoning_tokens", sa.BigInteger),
    sa.Column("reported_nano_usd", NanoUsd),
    sa.Column("cost_nano_usd", NanoUsd),
    sa.Column("cost_source", EnumText(CostSource)),
    sa.Column("fallback_from", Words),
    sa.Column("skipped", Json, nullable=False),
    sa.Column("message", Words),
    sa.Column("discarded", sa.Boolean, nullable=False),
    sa.Column("tier", Words, nullable=False),
    sa.Column("local", sa.Boolean, nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger),
    sa.Column("text_tokens", sa.BigInteger),
    sa.Column("resent_tokens", sa.BigInteger),
    sa.Column("tool_tokens", sa.BigInteger),
    sa.Index(None, "session_id", "id"),
    sa.Index(None, "turn_id", "id"),
    sa.Index(None, "started_at"),
)
