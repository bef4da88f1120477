"""Every table, one noun per file; importing this fills the metadata."""

from storage.tables.attempts import attempts
from storage.tables.budgets import budget_holds, budget_windows
from storage.tables.events import event_heads, events
from storage.tables.limits import limits
from storage.tables.metadata import metadata
from storage.tables.parkings import parkings
from storage.tables.routes import routes
from storage.tables.sessions import sessions
from storage.tables.turns import turns

__all__ = [
    "attempts",
    "budget_holds",
    "budget_windows",
    "event_heads",
    "events",
    "limits",
    "metadata",
    "parkings",
    "routes",
    "sessions",
    "turns",
]
