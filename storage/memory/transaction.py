"""Transactions over dictionaries: a snapshot to read, copies of what is written."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from noctule.core.accounts import Account
from noctule.core.attempts import Attempt
from noctule.core.budgets import BudgetKey, Hold, Tally
from noctule.core.chats import Chat, Pairing, Person, Watch
from noctule.core.corrections import Correction
from noctule.core.effects import Effect
from noctule.core.errors import OurBugError
from noctule.core.events import Event
from noctule.core.grants import Grant
from noctule.core.limits import Limit, LimitKey
from noctule.core.mail import Incoming, Outgoing
from noctule.core.notes import Note
from noctule.core.parkings import Parking
from noctule.core.proofs import Proof, ProofKey
from noctule.core.questions import Question
from noctule.core.routes import Route
from noctule.core.sessions import Session, Turn
from noctule.core.steers import Steer
from noctule.core.suspensions import Suspension
from storage.faults import closed_already


@dataclass
class Tables:
    """Everything that is kept."""

    epochs: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    limits: dict[LimitKey, Limit] = field(default_factory=dict)
    tallies: dict[BudgetKey, Tally] = field(default_factory=dict)
    holds: dict[tuple[str, BudgetKey], Hold] = field(default_factory=dict)
    corrections: dict[str, Correction] = field(default_factory=dict)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)
    events: dict[str, list[Event]] = field(default_factory=dict)
    parkings: dict[str, Parking] = field(default_factory=dict)
    effects: dict[tuple[str, str], Effect] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    notes: dict[tuple[str, str], Note] = field(default_factory=dict)
    proofs: dict[ProofKey, Proof] = field(default_factory=dict)
    steers: dict[str, Steer] = field(default_factory=dict)
    suspensions: dict[str, Suspension] = field(default_factory=dict)
    chats: dict[tuple[str, str], Chat] = field(default_factory=dict)
    watches: dict[tuple[str, str, str], Watch] = field(default_factory=dict)
    persons: dict[tuple[str, str], Person] = field(default_factory=dict)
    pairings: dict[tuple[str, str], Pairing] = field(default_factory=dict)
    inbox: dict[tuple[str, int], Incoming] = field(default_factory=dict)
    outbox: dict[str, Outgoing] = field(default_factory=dict)


Table = Literal[
    "epochs",
    "sessions",
    "turns",
    "routes",
    "attempts",
    "limits",
    "tallies",
    "holds",
    "corrections",
    "accounts",
    "heads",
    "events",
    "parkings",
    "effects",
    "questions",
    "grants",
    "notes",
    "proofs",
    "steers",
    "suspensions",
    "chats",
    "watches",
    "persons",
    "pairings",
    "inbox",
    "outbox",
]


class Shelf:
    """The committed tables and the lock of those who change them.

    Args:
        on_commit: told of every commit.
    """

    def __init__(self, on_commit: Callable[[], None]) -> None:
        self.tables = Tables()
        self.lock = asyncio.Lock()
        self.closed = False
        self.on_commit = on_commit


class MemoryTransaction:
    """One transaction.

    Args:
        shelf: what it reads and changes.
        writes: whether it may change anything.
    """

    def __init__(self, shelf: Shelf, *, writes: bool) -> None:
        self._shelf = shelf
        self._writes = writes
        self._own: set[str] = set()
        self._tables: Tables | None = None

    async def start(self) -> None:
        """Begin; a writing one waits for its turn."""
        if self._shelf.closed:
            raise closed_already()
        if self._writes:
            await self._shelf.lock.acquire()
        self._tables = replace(self._shelf.tables)

    async def reading(self) -> Tables:
        """Return the tables, to look at."""
        if self._tables is None:
            await self.start()
        if self._tables is None or self._shelf.closed:
            raise closed_already()
        return self._tables

    async def writing(self, *names: Table) -> Tables:
        """Return the tables; the named ones may be changed."""
        if not self._writes:
            raise OurBugError("A unit of work that only reads was asked to write. Use work().")
        tables = await self.reading()
        for name in names:
            if name not in self._own:
                self._own.add(name)
                setattr(tables, name, dict(getattr(tables, name)))
        return tables

    async def commit(self) -> None:
        """Keep what was changed."""
        if not self._writes:
            raise OurBugError("A unit of work that only reads was asked to commit. Use work().")
        if self._tables is None:
            return
        self._shelf.tables = self._tables
        await self.end()
        self._shelf.on_commit()

    async def end(self) -> None:
        """Forget what was not committed."""
        if self._tables is None:
            return
        self._tables = None
        self._own.clear()
        if self._writes:
            self._shelf.lock.release()


def missing_parent(what: str, name: str) -> OurBugError:
    """Return the error for a record that belongs to something that is not there."""
    return OurBugError(f"There is no {what} {name!r} to belong to. Please report this.")


def twice(what: str, name: str) -> OurBugError:
    """Return the error for an id that is taken."""
    return OurBugError(f"There is a {what} {name!r} already. Please report this.")
