"""The seam to storage: one transaction over all stores, and the database that opens it.

The stores live in ``storage`` (SQLAlchemy, on SQLite and PostgreSQL under the same contract tests).
Everything is async and may raise ``DatabaseBusyError``.
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, Self

from noctule.core.base.secrets import SecretStore
from noctule.core.ports.channels import ChatStore, InboxStore, OutboxStore
from noctule.core.ports.stores import (
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
from noctule.core.ports.tools import (
    EffectStore,
    GrantStore,
    NoteStore,
    ProofStore,
    QuestionStore,
    SteerStore,
)
from noctule.core.workers.patience import Patience
from noctule.core.workers.permits import Permits
from noctule.core.workers.tenures import Tenure


class UnitOfWork(Protocol):
    """One transaction over all stores; what is not committed is undone at its end."""

    sessions: SessionStore
    turns: TurnStore
    routes: RouteStore
    secrets: SecretStore
    attempts: AttemptStore
    limits: LimitStore
    budgets: BudgetStore
    accounts: AccountStore
    events: EventStore
    parkings: ParkingStore
    effects: EffectStore
    questions: QuestionStore
    grants: GrantStore
    notes: NoteStore
    proofs: ProofStore
    steers: SteerStore
    suspensions: SuspensionStore
    chats: ChatStore
    inbox: InboxStore
    outbox: OutboxStore

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def commit(self) -> None:
        """Make everything since the start or the last commit durable."""
        ...


class Database(Protocol):
    """A place where everything is kept."""

    @property
    def patience(self) -> Patience:
        """Whether it answers; tries again for whoever carries work."""
        ...

    @property
    def permits(self) -> Permits | None:
        """Room under caps that hold across workers; None where only one process works."""
        ...

    def work(self, *, durable: bool = True, tenure: Tenure | None = None) -> UnitOfWork:
        """Return a new unit of work that writes.

        On SQLite it takes the write lock at its start (``BEGIN IMMEDIATE``), so that a read in
        it cannot be overtaken; a task must not open a second one inside it.

        Args:
            durable: True: a commit survives a power cut once ``commit`` has returned. False
                does not wait for the disk: it survives a crash of the process, and a power cut
                once any later durable commit has returned. For what can be made again.
            tenure: whose write it is; ``commit`` raises ``SupersededError``, and stores nothing,
                once another worker has taken the session. None: anybody's.
        """
        ...

    def read(self) -> UnitOfWork:
        """Return a new unit of work that only reads; its ``commit`` is refused."""
        ...

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield once at the start and then whenever anybody, any process, may have written."""
        ...

    def session_lock(self, session_id: str) -> AbstractAsyncContextManager[Tenure]:
        """Hold the right to advance a session; waits for it.

        On PostgreSQL it is held against other workers too and falls with its process, or when
        its machine has not been heard of for a while; on SQLite one process works on a data
        folder anyway. Each time it is taken, the session's epoch rises.
        """
        ...

    async def session_is_free(self, session_id: str) -> bool:
        """Return whether nobody holds a session's lock at this moment.

        On SQLite it answers for this process alone, like the lock itself.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
