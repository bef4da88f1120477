"""Insert or replace, in the dialects of both databases."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def upsert(table: sa.Table) -> Mapping[str, sa.Insert]:
    """Return statements, by dialect name, that store a row over the one with its primary key."""
    return {
        "sqlite": _replacing(sqlite.insert(table), table),
        "postgresql": _replacing(postgresql.insert(table), table),
    }


def _replacing(statement: Any, table: sa.Table) -> sa.Insert:
    values = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    replaced: sa.Insert = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=values
    )
    return replaced
