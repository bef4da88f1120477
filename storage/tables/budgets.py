"""What budgets have come to in their present windows, and money reserved or spent.

No foreign keys: money stays on record whatever becomes of what it was spent on.
"""

import sqlalchemy as sa

from noctule.core.budgets.budgets import HoldState
from storage.base.metadata import metadata
from storage.base.types import EnumText, Id, NanoUsd, UtcDateTime, Words

budget_windows = sa.Table(
    "budget_windows",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("limit_nano_usd", NanoUsd, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("ends_at", UtcDateTime),
    sa.Column("settled_nano_usd", NanoUsd, nullable=False),
    sa.Column("held_nano_usd", NanoUsd, nullable=False),
    sa.Column("recovered_nano_usd", NanoUsd, nullable=False),
    sa.Column("over_nano_usd", NanoUsd, nullable=False),
    sa.Column("warned", sa.Boolean, nullable=False),
    sa.Column("seen_at", UtcDateTime),
)

budget_holds = sa.Table(
    "budget_holds",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("budget", Id, primary_key=True),
    sa.Column("amount_nano_usd", NanoUsd, nullable=False),
    sa.Column("state", EnumText(HoldState), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("sent", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Index(None, "budget", "at"),
)

budget_corrections = sa.Table(
    "budget_corrections",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("budget", Id, nullable=False),
    sa.Column("amount_nano_usd", NanoUsd, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
    sa.Column("why", Words, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

# Spelled with a literal: SQLite uses a partial index only for the very condition it was made with.
is_held = budget_holds.c.state == sa.literal_column("'held'")

sa.Index(
    "ix_budget_holds_open",
    budget_holds.c.budget,
    budget_holds.c.expires_at,
    sqlite_where=is_held,
    postgresql_where=is_held,
)
