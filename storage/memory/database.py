"""A database that ends with its process."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from noctule.core.channel_ports import ChatStore, InboxStore, OutboxStore
from noctule.core.clock import SystemClock
from noctule.core.patience import Patience
from noctule.core.store_ports import (
    AccountStore,
    AttemptStore,
    BudgetStore,
    EventStore,
    LimitStore,
    ParkingStore,
    RouteStore,
    SessionStore,
    SuspensionStore,
    TurnStore,
)
from noctule.core.tenures import Tenure
from noctule.core.tool_ports import (
    EffectStore,
    GrantStore,
    NoteStore,
    ProofStore,
    QuestionStore,
    SteerStore,
)
from storage.memory.accounts import MemoryAccounts
from storage.memory.attempts import MemoryAttempts
from storage.memory.budgets import MemoryBudgets
from storage.memory.chats import MemoryChats
from storage.memory.effects import MemoryEffects
from storage.memory.events import MemoryEvents
from storage.memory.grants import MemoryGrants
from storage.memory.inbox import MemoryInbox
from storage.memory.limits import MemoryLimits
from storage.memory.notes import MemoryNotes
from storage.memory.outbox import MemoryOutbox
from storage.memory.parkings import MemoryParkings
from storage.memory.proofs import MemoryProofs
from storage.memory.questions import MemoryQuestions
from storage.memory.routes import MemoryRoutes
from storage.memory.sessions import MemorySessions
from storage.memory.steers import MemorySteers
from storage.memory.suspensions import MemorySuspensions
from storage.memory.transaction import MemoryTransaction, Shelf
from storage.memory.turns import MemoryTurns
from storage.session_locks import SessionLocks
from storage.watch import Watches


class MemoryUnitOfWork:
    """The stores over one transaction; what is not committed is undone at its end."""

    def __init__(self, transaction: MemoryTransaction, tenure: Tenure | None = None) -> None:
        self._transaction = transaction
        self._tenure = tenure
        self.sessions: SessionStore = MemorySessions(transaction)
        self.turns: TurnStore = MemoryTurns(transaction)
        self.routes: RouteStore = MemoryRoutes(transaction)
        self.attempts: AttemptStore = MemoryAttempts(transaction)
        self.limits: LimitStore = MemoryLimits(transaction)
        self.budgets: BudgetStore = MemoryBudgets(transaction)
        self.accounts: AccountStore = MemoryAccounts(transaction)
        self.events: EventStore = MemoryEvents(transaction)
        self.parkings: ParkingStore = MemoryParkings(transaction)
        self.effects: EffectStore = MemoryEffects(transaction)
        self.questions: QuestionStore = MemoryQuestions(transaction)
        self.grants: GrantStore = MemoryGrants(transaction)
        self.notes: NoteStore = MemoryNotes(transaction)
        self.proofs: ProofStore = MemoryProofs(transaction)
        self.steers: SteerStore = MemorySteers(transaction)
        self.suspensions: SuspensionStore = MemorySuspensions(transaction)
        self.chats: ChatStore = MemoryChats(transaction)
        self.inbox: InboxStore = MemoryInbox(transaction)
        self.outbox: OutboxStore = MemoryOutbox(transaction)

    async def __aenter__(self) -> Self:
        await self._transaction.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transaction.end()

    async def commit(self) -> None:
        """Keep everything since the start or the last commit.

        Raises:
            SupersededError: another worker has taken the session; nothing was kept.
        """
        if self._tenure is not None:
            tables = await self._transaction.reading()
            self._tenure.check(tables.epochs.get(self._tenure.session_id))
        await self._transaction.commit()


class MemoryDatabase:
    """Keeps everything in dictionaries, under the same contract as the real ones."""

    def __init__(self) -> None:
        self.patience = Patience(SystemClock())
        self._watches = Watches(on_first=lambda: None)
        self._session_locks = SessionLocks()
        self._shelf = Shelf(on_commit=self._watches.wake)

    @property
    def permits(self) -> None:
        """None: one process works here, and its own line is all there is."""

    def work(self, *, durable: bool = True, tenure: Tenure | None = None) -> MemoryUnitOfWork:
        """Return a new unit of work that writes; one at a time. Nothing here is durable."""
        return MemoryUnitOfWork(MemoryTransaction(self._shelf, writes=True), tenure)

    def read(self) -> MemoryUnitOfWork:
        """Return a new unit of work that sees one moment and cannot write."""
        return MemoryUnitOfWork(MemoryTransaction(self._shelf, writes=False))

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield once at the start and then whenever somebody has written."""
        return self._watches.add()

    @asynccontextmanager
    async def session_lock(self, session_id: str) -> AsyncIterator[Tenure]:
        """Hold the right to advance a session; waits for it."""
        async with self._session_locks.hold(session_id):
            transaction = MemoryTransaction(self._shelf, writes=True)
            epochs = (await transaction.writing("epochs")).epochs
            epochs[session_id] = epochs.get(session_id, 0) + 1
            tenure = Tenure(session_id, epochs[session_id])
            await transaction.commit()
            yield tenure

    async def session_is_free(self, session_id: str) -> bool:
        """Return whether nobody in this process holds a session's lock at this moment."""
        return self._session_locks.is_free(session_id)

    async def close(self) -> None:
        """Forget everything."""
        self._shelf.closed = True
        self._watches.end()
