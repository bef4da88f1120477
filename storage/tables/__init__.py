"""Every table, one noun per file; importing this fills the metadata."""

from storage.base.metadata import metadata
from storage.tables.accounts import accounts
from storage.tables.attempts import attempts
from storage.tables.budgets import budget_corrections, budget_holds, budget_windows
from storage.tables.chats import chats, pairings, persons, watches
from storage.tables.effects import effects
from storage.tables.events import event_heads, events
from storage.tables.grants import grants
from storage.tables.limits import limits
from storage.tables.mail import inbox, outbox
from storage.tables.notes import notes
from storage.tables.parkings import parkings
from storage.tables.permits import cap_permits
from storage.tables.proofs import proofs
from storage.tables.questions import questions
from storage.tables.routes import routes
from storage.tables.secrets import secrets_replaced
from storage.tables.sessions import sessions
from storage.tables.steers import steers
from storage.tables.suspensions import suspensions
from storage.tables.tenures import session_tenures, workers
from storage.tables.turns import turns

__all__ = [
    "accounts",
    "attempts",
    "budget_corrections",
    "budget_holds",
    "budget_windows",
    "cap_permits",
    "chats",
    "effects",
    "event_heads",
    "events",
    "grants",
    "inbox",
    "limits",
    "metadata",
    "notes",
    "outbox",
    "pairings",
    "parkings",
    "persons",
    "proofs",
    "questions",
    "routes",
    "secrets_replaced",
    "session_tenures",
    "sessions",
    "steers",
    "suspensions",
    "turns",
    "watches",
    "workers",
]
