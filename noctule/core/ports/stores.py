"""What the runtime asks of the database: sessions, turns, the ledger, limits, budgets, parkings."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from noctule.core.budgets.accounts import Account
from noctule.core.budgets.budget_ledger import BudgetLedger
from noctule.core.budgets.budgets import Budget, BudgetKey, BudgetUsage, Hold
from noctule.core.budgets.corrections import Correction
from noctule.core.llm.attempts import Attempt
from noctule.core.llm.events import Event, EventKind
from noctule.core.llm.limits import Limit, LimitKey
from noctule.core.llm.routes import Route
from noctule.core.reports.answer_cost import RatedTurn
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking
from noctule.core.sessions.sessions import Order, Rating, Session, Turn
from noctule.core.sessions.suspensions import Suspension


class SessionStore(Protocol):
    """Conversations and tasks."""

    async def add(self, session: Session) -> None:
        """Store a new session."""
        ...

    async def get(self, session_id: str) -> Session:
        """Return one session; a unique beginning or end of its id is enough.

        Raises:
            NotFoundError: no session begins like that, or several do.
        """
        ...

    async def list(self, *, owner: str | None = None, limit: int | None = None) -> list[Session]:
        """Return sessions, newest first; None means of everybody, and all."""
        ...

    async def set_title(self, session_id: str, title: str) -> None:
        """Give it a title."""
        ...

    async def set_chat_model(self, session_id: str, model: str | None) -> None:
        """Remember which model the chat role keeps; None forgets it."""
        ...

    async def set_budget(self, session_id: str, usd: Decimal | None) -> None:
        """Bound what it may spend in all, in USD; None takes the bound away."""
        ...

    async def remove(self, session_id: str) -> None:
        """Delete a session with everything that was said and done in it.

        The ledger keeps what it cost, and chats that talked in it begin anew.
        """
        ...

    async def mark_outside(self, session_id: str, at: datetime) -> None:
        """Note when it first read text that somebody else wrote; a later mark changes nothing."""
        ...

    async def mark_private(self, session_id: str, at: datetime) -> None:
        """Note when it first read what is its person's alone; a later mark changes nothing."""
        ...


class TurnStore(Protocol):
    """What people said, and how far it has come."""

    async def add(self, turn: Turn) -> None:
        """Store a new turn."""
        ...

    async def get(self, turn_id: str) -> Turn:
        """Return one turn; a unique beginning or end of its id is enough.

        Raises:
            NotFoundError: no turn begins like that, or several do.
        """
        ...

    async def by_origin(self, origin: str) -> Turn | None:
        """Return the turn a message of a messenger became; None when it became none."""
        ...

    async def of_session(self, session_id: str) -> list[Turn]:
        """Return the turns of a session, oldest first."""
        ...

    async def oldest_unfinished(self, session_id: str) -> Turn | None:
        """Return the turn whose turn it is; None when all are finished."""
        ...

    async def unfinished(self) -> list[Turn]:
        """Return every unfinished turn of every session, oldest first."""
        ...

    async def running(self) -> list[Turn]:
        """Return every running turn of every session, oldest first."""
        ...

    async def due(self, now: datetime) -> list[Turn]:
        """Return queued, parked and waiting turns whose turn it is, oldest first.

        Each is the oldest unfinished one of its session. Queued turns without a time are due at
        once; parked and waiting ones only at their time.
        """
        ...

    async def standings(self) -> Mapping[str, RatedTurn]:
        """Return how far every turn has come and what its person thought of it, by id."""
        ...

    async def count_unfinished(self) -> int:
        """Return how many turns are unfinished, of all sessions together."""
        ...

    async def reword(self, turn_id: str, text: str) -> bool:
        """Change what was said while nobody has read it; return False when it has begun."""
        ...

    async def choose_model(self, turn_id: str, model: str | None) -> None:
        """Force a model on a turn that has not ended; None takes it back."""
        ...

    async def wake_at(self, turn_id: str, wake_at: datetime | None) -> None:
        """Move the time at which a resting turn may go on."""
        ...

    async def orders(self, turn_ids: Sequence[str]) -> Mapping[str, Order]:
        """Return what people ordered for some turns; turns without an order are missing."""
        ...

    async def newest_finished(self, *, owner: str | None = None) -> Turn | None:
        """Return the last turn that got a reply; None when there is none."""
        ...

    async def move(
        self,
        turn_id: str,
        status: Status,
        *,
        at: datetime,
        reply: str | None = None,
        error: str | None = None,
        wake_at: datetime | None = None,
    ) -> Turn:
        """Move a turn to a status in one atomic step and return it as it now is.

        Sets ``started_at`` at the first running and ``ended_at`` at an end; ``reply`` is kept
        when None is passed, ``error`` and ``wake_at`` are set to what is passed.

        Raises:
            IllegalMoveError: the table of moves does not have it; nothing was changed.
        """
        ...

    async def order(self, turn_id: str, order: Order | None) -> None:
        """Note what a person ordered for a turn; None takes it back."""
        ...

    async def rate(self, turn_id: str, verdict: Rating | None) -> None:
        """Note what the person thought of the reply; None takes it back."""
        ...


class RouteStore(Protocol):
    """The orchestrator's decisions."""

    async def put(self, turn_id: str, route: Route) -> None:
        """Store the route of a turn, replacing an earlier one (a hand-over)."""
        ...

    async def of_turn(self, turn_id: str) -> Route | None:
        """Return the route of a turn; None when it was never routed."""
        ...

    async def of_turns(self, turn_ids: Sequence[str]) -> Mapping[str, Route]:
        """Return the routes of several turns; turns without one are missing."""
        ...


class AttemptStore(Protocol):
    """The ledger."""

    async def add(self, attempt: Attempt) -> None:
        """Write one attempt; the same one again does nothing."""
        ...

    async def list(
        self,
        *,
        session_id: str | None = None,
        turn_id: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Attempt]:
        """Return attempts, newest first; None means no such restriction, and all of them."""
        ...


class LimitStore(Protocol):
    """What is refused until when."""

    async def put(self, limit: Limit) -> None:
        """Store or replace the limit of its key."""
        ...

    async def list(self) -> list[Limit]:
        """Return every stored limit, past ones included, in order of endpoint and model."""
        ...

    async def clear(self, key: LimitKey | None = None) -> int:
        """Forget one limit, or with None all of them; return how many there were."""
        ...


class BudgetStore(Protocol):
    """What budgets have come to, and the holds on them."""

    async def open_books(
        self, budgets: Sequence[Budget], hold_ids: Sequence[str], now: datetime
    ) -> BudgetLedger:
        """Lock the rows of some budgets, in the order of their keys, and return their books.

        Args:
            budgets: those that orders will touch, as configured.
            hold_ids: the calls that will be settled.
            now: aware.
        """
        ...

    async def keep(self, books: BudgetLedger) -> None:
        """Write back what books say has changed."""
        ...

    async def mark_sent(self, hold_ids: Sequence[str], now: datetime) -> Mapping[str, int]:
        """Note that the requests of some calls leave, without locking a budget.

        Args:
            hold_ids: those of the calls.
            now: aware; a hold that is overdue by then may be another's already and is left alone.

        Returns:
            For each call that has any, how many of its holds were marked: one per budget.
        """
        ...

    async def spent(self, key: BudgetKey) -> list[Hold]:
        """Return what counts as spent in a rolling window, oldest first."""
        ...

    async def tallies(self) -> list[BudgetUsage]:
        """Return every stored tally, in the order of keys."""
        ...

    async def held(self) -> list[Hold]:
        """Return the holds of calls under way, oldest first."""
        ...

    async def correct(self, correction: Correction) -> None:
        """Put a correction on record."""
        ...

    async def corrections(self) -> list[Correction]:
        """Return every correction, oldest first."""
        ...


class SuspensionStore(Protocol):
    """When machines slept although there was work."""

    async def add(self, suspension: Suspension) -> None:
        """Store one."""
        ...

    async def since(self, moment: datetime) -> list[Suspension]:
        """Return those that ended after a moment, oldest first."""
        ...


class EventStore(Protocol):
    """What watchers of a session see."""

    async def append(
        self,
        session_id: str,
        turn_id: str,
        items: Sequence[tuple[EventKind, Mapping[str, Any]]],
        *,
        at: datetime,
    ) -> list[Event]:
        """Store events in order and return them with their sequence numbers."""
        ...

    async def after(self, session_id: str, seq: int, *, limit: int = 500) -> list[Event]:
        """Return the events with a greater sequence number, in order; 0 means from the start."""
        ...

    async def of_turn(self, turn_id: str, kinds: Sequence[EventKind]) -> list[Event]:
        """Return the events of a turn that are of some kinds, in order."""
        ...

    async def last_seq(self, session_id: str) -> int:
        """Return the highest sequence number given out so far; 0 when there is no event."""
        ...

    async def last_seqs(self, session_ids: Sequence[str]) -> Mapping[str, int]:
        """Return the highest numbers of several sessions; those without an event are missing."""
        ...

    async def prune_deltas(self, turn_id: str) -> None:
        """Drop the text deltas of a turn whose reply is stored."""
        ...


class ParkingStore(Protocol):
    """Turns asleep; a parking is open until it is closed."""

    async def add(self, parking: Parking) -> None:
        """Store a new parking."""
        ...

    async def open_of_turn(self, turn_id: str) -> list[Parking]:
        """Return the open parkings of a turn, oldest first."""
        ...

    async def due(self, now: datetime) -> list[Parking]:
        """Return the open parkings whose wake time has come, earliest wake time first."""
        ...

    async def open_on(self, key: LimitKey) -> list[Parking]:
        """Return the open parkings that wait for exactly this limit, oldest first."""
        ...

    async def line_up(self, keys: Iterable[LimitKey]) -> None:
        """Wait until nobody else moves the sleepers of some limits, to the end of the transaction.

        Asked before anything else of a transaction that moves sleepers: two that move each other's
        would wait for one another, or both give out the first place. SQLite has one writer anyway.
        """
        ...

    async def all_open(self) -> list[Parking]:
        """Return every open parking, oldest first."""
        ...

    async def reschedule(self, parking_ids: Sequence[str], wake_at: datetime | None) -> None:
        """Move the wake time of open parkings; None means only a person wakes them."""
        ...

    async def close(self, parking_ids: Sequence[str], *, woken_at: datetime) -> None:
        """Close parkings; those closed before keep their time."""
        ...

    async def close_turn(self, turn_id: str, *, woken_at: datetime) -> None:
        """Close every open parking of a turn."""
        ...


class AccountStore(Protocol):
    """What providers say of the money of keys."""

    async def put(self, account: Account) -> None:
        """Store or replace what is known of a key."""
        ...

    async def list(self) -> list[Account]:
        """Return everything that is known, in order of endpoint and key."""
        ...
